# ACPI registers: fixed hardware and hardware-reduced, ACPI 6.4 section 4.8.
device acpipm as acpi pm1_evt=0x600 pm1_cnt=0x604 pm_tmr=0x608 gpe0=0x620 reset=0x630 sleep_ctl=0x640 sleep_sts=0x641
let STS 0x600
let EN 0x602
let CNT 0x604
let TMR 0x608

# The machine is in ACPI mode; only events that exist can be enabled.
inw CNT 1
outw CNT 0
inw CNT 1
outw EN 0xffff
inw EN 0x0721
outw EN 0

# The timer: 3.579545 MHz, 24 bits, any width, never written.
inl TMR 0
advance 1 s
inl TMR 3579545
inw TMR 0x9e99
inb TMR+2 0x36
outl TMR 0
inl TMR 3579545

# TMR_STS at each change of bit 23 (2.34 s); with TMR_EN it interrupts; writing 1 clears it.
inw STS 0
advance 1344 ms
inw STS 1
irq acpi low
outw EN 1
irq acpi high
outw STS 0xfffe
inw STS 1
outw STS 1
inw STS 0
irq acpi low
advance 2342 ms
irq acpi low
advance 1 ms
irq acpi high
outb STS 1
irq acpi low
outw EN 0
advance 20 s
irq acpi edges 2

# Sleep: only S5, only with SLP_EN, both bytes or one.
outw CNT 0x1400
event none
inw CNT 0x1401
outw CNT 0x2000
event none
outw CNT 0x3400
event power-off
inw CNT 0x1401
outb CNT+1 0x34
event power-off

# Reset register: the value the tables tell, nothing else.
outb 0x630 0x11
event none
outb 0x630 0x10
event reset
outl 0x630 0xffffff10  # cut: the first byte is the register's
event reset

# Hardware-reduced: as GUEST kernels do it, status cleared first.
outb 0x641 0x80
inb 0x641 0
outb 0x640 0x14
event none
outb 0x640 0x34
event power-off
inb 0x640 0

# GPE enables are storage; nothing raises one.
outw 0x622 0x00ff
inl 0x620 0x00ff0000
outw 0x620 0xffff
irq acpi low
outw EN 0x0121
state
inw EN 0x0121
inl 0x620 0x00ff0000
state cut
state noise 200
reset
inw EN 0
inw CNT 1
