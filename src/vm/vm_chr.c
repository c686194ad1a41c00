/* The consoles (serial, by hypercalls, virtio) and the ports of the last: their other ends. */
#include "back/chr.h"
#include "vm/vm_impl.h"

static void on_escape(void *ctx)
{
    vm_leave(ctx, VM_QUIT, 0);
}

static int make(struct vm *vm, struct chr **out, const char *spec, const char *option,
                struct error *err)
{
    const struct chr_open_opts o = {.spec = spec, .option = option, .escape = on_escape, .arg = vm};

    return chr_open(out, &o, vm->loop, err);
}

int chrs_make(struct vm *vm, struct error *err)
{
    const struct vm_console *c = &vm->setup->vconsole;
    struct board_console *b = &vm->vconsole;
    int code = make(vm, &vm->console, vm->setup->console, "--console", err);

    if (!code && vm->setup->pv_console)
        code = make(vm, &vm->pv_console, vm->setup->pv_console, "--pv-console", err);
    if (!code && c->spec)
        code = make(vm, &vm->vchr[0], c->spec, "--virtio-console", err);
    *b = (struct board_console){
        .console = vm->vchr[0], .ports = c->ports, .mmio = c->mmio, .packed = c->packed};
    for (unsigned i = 0; i < c->ports && !code; i++) {
        code = make(vm, &vm->vchr[1 + i], c->port[i].spec, "--port", err);
        b->port[i].name = c->port[i].name;
        b->port[i].chr = vm->vchr[1 + i];
    }
    for (unsigned i = 0; i < vm->setup->inputs; i++)
        vm->input[i] = (struct board_input){.tablet = vm->setup->input[i].tablet,
                                            .mmio = vm->setup->input[i].mmio,
                                            .packed = vm->setup->input[i].packed};
    return code;
}

static void each(struct vm *vm, void (*what)(struct chr *c))
{
    what(vm->console);
    what(vm->pv_console);
    for (unsigned i = 0; i < ARRAY_LEN(vm->vchr); i++)
        what(vm->vchr[i]);
}

static void flush(struct chr *c)
{
    if (c)
        c->ops->flush(c);
}

void chrs_flush(struct vm *vm)
{
    each(vm, flush);
}

void chrs_resized(struct vm *vm)
{
    each(vm, chr_resized);
}

void chrs_close(struct vm *vm)
{
    each(vm, chr_close);
}
