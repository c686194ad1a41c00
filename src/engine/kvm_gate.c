/*
 * Engine kvm: nobody inside KVM_RUN while guest code is patched. KVM's emulator reads an
 * instruction by bytes, so one that changes under it could be half old and half new. Whoever
 * patches closes the gate, has the vCPUs kicked out, and opens it again; a vCPU waits there with no
 * lock held. Without patching there is no gate.
 */
#include "engine/kvm.h"

void kvm_gate_enter(struct engine *e)
{
    if (!e->env.patches)
        return;
    pthread_mutex_lock(&e->gate.lock);
    while (e->gate.shut)
        pthread_cond_wait(&e->gate.moved, &e->gate.lock);
    e->gate.inside++;
    pthread_mutex_unlock(&e->gate.lock);
}

void kvm_gate_leave(struct engine *e)
{
    if (!e->env.patches)
        return;
    pthread_mutex_lock(&e->gate.lock);
    e->gate.inside--;
    if (e->gate.shut)
        pthread_cond_broadcast(&e->gate.moved);
    pthread_mutex_unlock(&e->gate.lock);
}

/* A vCPU that has passed the gate and not yet entered KVM_RUN finds immediate_exit set. */
void kvm_quiet(struct engine *e, bool on)
{
    pthread_mutex_lock(&e->gate.lock);
    e->gate.shut = on;
    if (on && e->gate.inside) {
        pthread_mutex_unlock(&e->gate.lock);
        for (unsigned i = 0; i < e->vcpus; i++)
            kvm_kick(e, i, false);
        pthread_mutex_lock(&e->gate.lock);
    }
    while (on && e->gate.inside)
        pthread_cond_wait(&e->gate.moved, &e->gate.lock);
    if (!on)
        pthread_cond_broadcast(&e->gate.moved);
    pthread_mutex_unlock(&e->gate.lock);
}

void kvm_gate_open(struct engine *e)
{
    pthread_mutex_init(&e->gate.lock, NULL);
    pthread_cond_init(&e->gate.moved, NULL);
}

void kvm_gate_close(struct engine *e)
{
    pthread_cond_destroy(&e->gate.moved);
    pthread_mutex_destroy(&e->gate.lock);
}
