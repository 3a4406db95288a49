"""The commands of `python -m bench`. Options come in; each calls one package, prints, and ends with an exit code.

measuring   run, report, accuracy
sweeping    sweep
cluster     what sweep asks of Slurm
merging     merge
explaining  limits, profile, gradients, advise
gating      gate, compare, trust
tracking    history
bringing    check, new
listing     list
options     the options that several share, from one place
console     where they write, how they end, how errors become one line
"""
