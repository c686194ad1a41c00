/*
 * The kernel loaders and unpackers: a file that claims to be a kernel, and one that claims to be an
 * initial RAM disk. First byte: how to enter; then the length of the second file, 16 bits.
 */
#include "board/boot.h"
#include "core/cpu_regs.h"
#include "core/error.h"
#include "input.h"
#include "mem/ram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct input in = {data, len};
    uint8_t way = take_u8(&in);
    size_t second = take_u16(&in);
    struct boot_file kernel = {.path = "kernel"}, initrd = {.path = "initrd"};
    struct boot_args args = {.kernel = &kernel, .cmdline = "console=ttyS0", .rsdp = 0x80000};
    struct cpu_regs regs;
    struct error err;
    struct ram ram;

    if (second > in.len)
        second = in.len;
    initrd.data = (uint8_t *)(uintptr_t)in.p; /* loaders read only; libFuzzer would notice */
    initrd.len = second;
    kernel.data = (uint8_t *)(uintptr_t)(in.p + second);
    kernel.len = in.len - second;
    PROMISE(!ram_open(&ram, 64 << 20));
    args.ram = &ram;
    args.initrd = &initrd;
    args.initrds = second > 0;
    args.way = (enum boot_way)(way % 4);
    boot_load(&args, &regs, &err);
    ram_close(&ram);
    return 0;
}
