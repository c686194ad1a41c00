/*
 * In the guest: prints every event of keyboard, mouse and power button as the kernel hands them to
 * programs, one a line: "kbd 1 30 1" is device, type, code, value. F1 makes it switch the lights on
 * that EV_LED numbers (num 0, caps 1, scroll 2) as the kernel's console would; F12 up ends it.
 */
#include <fcntl.h>
#include <linux/input.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEVICES 8

static const char *short_name(const char *name)
{
    if (strstr(name, "virtio"))
        return strstr(name, "tablet") ? "tablet" : "vkbd";
    return strstr(name, "keyboard") ? "kbd" : strstr(name, "Mouse") ? "mouse" : "button";
}

static void light(int fd, unsigned short led, int on)
{
    struct input_event e = {.type = EV_LED, .code = led, .value = on};

    if (write(fd, &e, sizeof(e)) != sizeof(e))
        perror("light");
}

static void lights(int fd)
{
    light(fd, LED_CAPSL, 1);
    light(fd, LED_SCROLLL, 1);
}

int main(void)
{
    struct pollfd fds[DEVICES];
    char name[DEVICES][64] = {{0}}, path[32];
    int n = 0;

    for (int i = 0; i < DEVICES; i++) {
        snprintf(path, sizeof(path), "/dev/input/event%d", i);
        fds[n].fd = open(path, O_RDWR);
        fds[n].events = POLLIN;
        if (fds[n].fd < 0 || ioctl(fds[n].fd, EVIOCGNAME(sizeof(name[n])), name[n]) < 0)
            continue;
        printf("device: %s\n", name[n]);
        n++;
    }
    printf("ready\n");
    fflush(stdout);
    while (poll(fds, (nfds_t)n, -1) > 0)
        for (int i = 0; i < n; i++) {
            struct input_event e;

            if (!fds[i].revents || read(fds[i].fd, &e, sizeof(e)) != sizeof(e))
                continue;
            if (e.type == EV_SYN || e.type == EV_MSC || e.type == EV_LED)
                continue;
            printf("%s %d %d %d\n", short_name(name[i]), e.type, e.code, e.value);
            fflush(stdout);
            if (e.type == EV_KEY && e.code == KEY_F1 && e.value == 1)
                lights(fds[i].fd);
            if (e.type == EV_KEY && e.code == KEY_F12 && !e.value)
                return 0;
        }
    return 1;
}
