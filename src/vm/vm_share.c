/* The host directories of a machine: their back ends. */
#include "back/p9.h"
#include "vm/vm_impl.h"
#include <stdio.h>

int shares_make(struct vm *vm, struct error *err)
{
    for (unsigned i = 0; i < vm->setup->shares; i++) {
        const struct vm_share *s = &vm->setup->share[i];
        char name[16];
        struct p9_opts o = {.dir = s->dir, .readonly = s->readonly, .name = name};
        int code;

        snprintf(name, sizeof(name), "share%u", i);
        code = p9_open(&vm->p9[i], &o, vm->loop, vm->ledger, err);
        if (code)
            return code;
        vm->share[i] = (struct board_share){
            .p9 = vm->p9[i], .tag = s->tag, .mmio = s->mmio, .packed = s->packed};
    }
    return 0;
}

void shares_close(struct vm *vm)
{
    for (unsigned i = 0; i < VM_SHARES_MAX; i++)
        p9_close(vm->p9[i]);
}
