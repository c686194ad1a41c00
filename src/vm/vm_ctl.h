/*
 * What a control socket asks of a machine. Handlers of the VM's loop hold the VM lock; others take
 * it with vm_lock.
 */
#ifndef VM_VM_CTL_H
#define VM_VM_CTL_H

#include "vm/vm.h"

struct blk;
struct boot_screen;
struct loop;
struct patch;
struct typist;
struct vcon;

void vm_lock(struct vm *vm);
void vm_unlock(struct vm *vm);
struct loop *vm_loop(struct vm *vm);
const struct vm_setup *vm_setup(const struct vm *vm);
struct blk *vm_blk(struct vm *vm, unsigned disk);
struct vcon *vm_vcon(struct vm *vm);     /* NULL: there is no virtio console */
struct typist *vm_typist(struct vm *vm); /* NULL: the board has no keyboard */

/* A descriptor of the screen that others can only read, ours; -ENODEV: there is none. */
int vm_screen(struct vm *vm, struct boot_screen *out);

struct patch *vm_patch(struct vm *vm); /* NULL: no instructions are patched */

void vm_quit(struct vm *vm);        /* as the escape key does */
int vm_power_button(struct vm *vm); /* -ENODEV: nobody hears it on this board */
/* The memory the guest is asked to make do with, and what it has. -ENODEV: no balloon; -EINVAL:
 * more than there is, or part of a page. */
int vm_balloon_set(struct vm *vm, uint64_t bytes);
int vm_balloon_get(struct vm *vm, uint64_t *bytes);
/* vCPUs stop at their next instruction boundary and stay there; time and devices go on. */
void vm_pause(struct vm *vm);
void vm_resume(struct vm *vm);
bool vm_paused(const struct vm *vm);

#endif
