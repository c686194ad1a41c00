/*
 * In the guest: fills the lower half of the frame buffer with a pattern that tests/boot/screen
 * knows, its left half through a mapping and its right half by write, and says so on ttyS0.
 */
#include <fcntl.h>
#include <linux/fb.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static uint32_t pixel(unsigned x, unsigned y)
{
    return (x * 7 ^ y * 13) & 0xff | ((x + y) & 0xff) << 8 | ((x * y) & 0xff) << 16;
}

int main(void)
{
    FILE *say = fopen("/dev/ttyS0", "w");
    int fd = open("/dev/fb0", O_RDWR);
    struct fb_fix_screeninfo fix;
    struct fb_var_screeninfo var;
    uint8_t *at;

    if (fd < 0 || ioctl(fd, FBIOGET_FSCREENINFO, &fix) || ioctl(fd, FBIOGET_VSCREENINFO, &var))
        return 1;
    at = mmap(NULL, fix.smem_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return 1;
    for (unsigned y = var.yres / 2; y < var.yres; y++)
        for (unsigned x = 0; x < var.xres; x++) {
            off_t off = (off_t)y * fix.line_length + 4 * x;
            uint32_t p = pixel(x, y);

            if (x < var.xres / 2)
                *(volatile uint32_t *)(at + off) = p;
            else if (pwrite(fd, &p, 4, off) != 4)
                return 1;
        }
    fprintf(say, "drawn %u %u %u\n", var.xres, var.yres, var.bits_per_pixel);
    return 0;
}
