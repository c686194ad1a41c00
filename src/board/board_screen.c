/*
 * A screen with no device: a linear frame buffer in memory that the guest is told is reserved. Its
 * kernel draws there as on firmware's (boot_linux.c), on both boards. Only a kernel entered by
 * Linux's own protocol is told; others find a reserved area in the memory map.
 */
#include "board/board.h"
#include "board/boot.h"
#include "board/map.h"
#include "mem/ram.h"
#include <errno.h>

int board_screen(struct boot_screen *out, struct ram *ram, unsigned width, unsigned height)
{
    uint64_t len = (uint64_t)width * height * 4;

    if (width < BOARD_SCREEN_MIN || height < BOARD_SCREEN_MIN || width > BOARD_SCREEN_MAX ||
        height > BOARD_SCREEN_MAX || len > RAM_SCREEN_MAX)
        return -EINVAL;
    len = (len + RAM_PAGE_SIZE - 1) & ~(uint64_t)(RAM_PAGE_SIZE - 1);
    *out = (struct boot_screen){
        .base = MAP_SCREEN, .width = width, .height = height, .pitch = 4 * width};
    return ram_screen_add(ram, MAP_SCREEN, len);
}
