/*
 * Doorbells through the engine's ioeventfd: each is an eventfd in the event loop.
 * eventfd(2): a read takes the count and sets it to zero.
 */
#include "core/bell.h"
#include "vm/vm_impl.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void bell_take(struct bell *b)
{
    uint64_t times;

    if (read(b->fd, &times, sizeof(times)) == sizeof(times))
        b->rung(b->arg, times);
}

static void bell_ready(void *arg, uint32_t events)
{
    (void)events;
    bell_take(arg);
}

static void bell_hang(void *ctx, struct bell *b)
{
    struct vm *vm = ctx;

    if (!vm->engine || b->hung)
        return;
    b->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (b->fd < 0)
        return;
    b->hung = loop_fd(vm->loop, b->fd, EPOLLIN, bell_ready, b) == 0 &&
              vm->ops->bell(vm->engine, true, b->addr, b->size, b->fd, true) == 0;
    if (!b->hung) {
        loop_fd_drop(vm->loop, b->fd);
        close(b->fd);
    }
}

/* An engine that is gone has taken its side away; what rang then has nobody to tell. */
static void bell_drop(void *ctx, struct bell *b)
{
    struct vm *vm = ctx;

    if (!b->hung)
        return;
    b->hung = false;
    if (vm->engine) {
        (void)vm->ops->bell(vm->engine, true, b->addr, b->size, b->fd, false);
        bell_take(b);
    }
    loop_fd_drop(vm->loop, b->fd);
    close(b->fd);
}

void bells_init(struct vm *vm)
{
    vm->bells = (struct bell_sink){bell_hang, bell_drop, vm};
}
