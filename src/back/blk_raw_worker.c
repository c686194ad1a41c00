/*
 * The raw backend's worker: one thread that does requests in order with blocking system calls,
 * where io_uring is not allowed, and for what it can't do. It knows the image's descriptor and its
 * two lists, nothing of the VM, and takes no lock but its own; results are reaped by the owner's
 * thread.
 */
#include "back/blk_raw.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

void raw_worker_init(struct blk_raw *raw)
{
    struct raw_worker *w = &raw->worker;

    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    pthread_cond_init(&w->idle, NULL);
    raw_list_init(&w->todo);
    raw_list_init(&w->ended);
}

static void *work(void *arg)
{
    struct blk_raw *raw = arg;
    struct raw_worker *w = &raw->worker;
    const uint64_t one = 1;

    pthread_mutex_lock(&w->lock);
    for (;;) {
        struct blk_req *req = raw_list_take(&w->todo);
        if (!req && w->stop)
            break;
        if (!req) {
            pthread_cond_wait(&w->wake, &w->lock);
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        req->err = raw_sync(raw, req);
        pthread_mutex_lock(&w->lock);
        raw_list_add(&w->ended, req);
        pthread_cond_signal(&w->idle);
        if (write(raw->event, &one, sizeof(one)) < 0) {
            /* Only when the counter is full: then the loop is awake anyway. */
        }
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* All signals stay with the threads that expect them. */
static int start(struct blk_raw *raw)
{
    sigset_t all, old;
    int rc;

    sigfillset(&all);
    sigdelset(&all, SIGSYS); /* the sandbox's: its last words */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&raw->worker.thread, NULL, work, raw);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    raw->worker.started = !rc;
    return -rc;
}

void raw_worker_give(struct blk_raw *raw, struct blk_req *req)
{
    struct raw_worker *w = &raw->worker;
    int rc = w->started ? 0 : start(raw);

    if (rc) {
        blk_finish(req, rc);
        return;
    }
    w->pending++;
    pthread_mutex_lock(&w->lock);
    raw_list_add(&w->todo, req);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

void raw_worker_reap(struct blk_raw *raw, bool wait)
{
    struct raw_worker *w = &raw->worker;
    struct blk_req *req, *next;

    if (!w->pending)
        return;
    pthread_mutex_lock(&w->lock);
    while (wait && !w->ended.head)
        pthread_cond_wait(&w->idle, &w->lock);
    req = w->ended.head;
    raw_list_init(&w->ended);
    pthread_mutex_unlock(&w->lock);
    for (; req; req = next) {
        next = req->next;
        w->pending--;
        blk_finish(req, req->err);
    }
}

void raw_worker_close(struct blk_raw *raw)
{
    struct raw_worker *w = &raw->worker;

    if (w->started) {
        pthread_mutex_lock(&w->lock);
        w->stop = true;
        pthread_cond_signal(&w->wake);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
    }
    pthread_cond_destroy(&w->idle);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
}
