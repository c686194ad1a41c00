# The exit port: 32 bits or nothing.
device debugexit as exit base=0xf4
outb 0xf4 1
outw 0xf4 1
event none
outl 0xf4 21
event exit-21
inl 0xf4 0
outl 0xf6 1         # across the end
event none
ledger pio exit * writes=5 refused=4
state
