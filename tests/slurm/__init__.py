"""What is tested on a real Slurm, and what starts one."""
