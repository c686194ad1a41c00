/*
 * Acknowledged, flushed writes survive kill -9 of the process that made them. A child writes
 * numbered records through the raw backend, and says so on a pipe only after a flush completed; the
 * parent kills it at a moment of its choosing, then reads the file with plain system calls. Each
 * record that was acknowledged must be there whole; the lock must be gone. Every other round writes
 * past the page cache, where the host's file system can.
 *
 * What it can't show is loss of power: that needs a machine that loses it.
 */
#include "back/blk.h"
#include "core/error.h"
#include "core/ledger.h"
#include "core/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORD  8u   /* sectors of a record */
#define BATCH   16u  /* records in flight between two flushes */
#define RECORDS 512u /* places on the disk, used in turn */
#define ROUNDS  20u

struct writer {
    struct blk *blk;
    struct blk_req req[BATCH], flush;
    struct iovec iov[BATCH];
    uint64_t data[BATCH][RECORD * BLK_SECTOR / 8] __attribute__((aligned(BLK_SECTOR)));
    uint64_t first; /* number of the batch's first record */
    unsigned left;
    int ack;
};

/* Each word of a record tells number and place, so that a torn or misplaced one shows. */
static uint64_t word_of(uint64_t number, unsigned i)
{
    return number * 0x9e3779b97f4a7c15ull + i;
}

static void batch_start(struct writer *w);

static void flushed(struct blk_req *req, int err)
{
    struct writer *w = req->owner;
    uint64_t last = w->first + BATCH - 1;

    if (err || write(w->ack, &last, sizeof(last)) != sizeof(last))
        _exit(3);
    w->first += BATCH;
    batch_start(w);
}

static void written(struct blk_req *req, int err)
{
    struct writer *w = req->owner;

    if (err)
        _exit(2);
    if (--w->left)
        return;
    w->flush = (struct blk_req){.op = BLK_FLUSH, .done = flushed, .owner = w};
    blk_submit(w->blk, &w->flush);
}

static void batch_start(struct writer *w)
{
    w->left = BATCH;
    for (unsigned i = 0; i < BATCH; i++) {
        uint64_t number = w->first + i;

        for (unsigned k = 0; k < ARRAY_LEN(w->data[i]); k++)
            w->data[i][k] = word_of(number, k);
        w->iov[i] = (struct iovec){w->data[i], sizeof(w->data[i])};
        w->req[i] = (struct blk_req){.op = BLK_WRITE,
                                     .sector = number % RECORDS * RECORD,
                                     .sectors = RECORD,
                                     .iov = &w->iov[i],
                                     .iovs = 1,
                                     .done = written,
                                     .owner = w};
        blk_submit(w->blk, &w->req[i]);
    }
}

static void child(const char *path, int ack, uint64_t first, bool direct)
{
    static struct writer w;
    struct blk_open_opts o = {.path = path, .name = "disk0", .direct = direct};
    struct loop *loop = loop_open(NULL, false);
    struct error err = {{0}};

    w.first = first;
    w.ack = ack;
    if (direct && blk_open(&w.blk, &o, loop, ledger_open(), &err) == -EINVAL &&
        strstr(err.text, "leave direct out")) {
        fprintf(stderr, "# as in the other rounds: %s\n", err.text);
        o.direct = false;
    }
    if (!w.blk && blk_open(&w.blk, &o, loop, ledger_open(), &err)) {
        fprintf(stderr, "%s\n", err.text);
        _exit(4);
    }
    batch_start(&w);
    loop_run(loop);
    _exit(5);
}

/* All acknowledged records that later ones can't have overwritten are whole. */
static unsigned verify(const char *path, uint64_t last)
{
    uint64_t rec[RECORD * BLK_SECTOR / 8];
    uint64_t from = last + 1 + BATCH > RECORDS ? last + 1 + BATCH - RECORDS : 0;
    int fd = open(path, O_RDONLY);
    unsigned bad = 0;

    for (uint64_t n = from; n <= last; n++) {
        off_t at = (off_t)(n % RECORDS * sizeof(rec));

        if (pread(fd, rec, sizeof(rec), at) != (ssize_t)sizeof(rec))
            bad++;
        else
            for (unsigned k = 0; k < ARRAY_LEN(rec); k++)
                if (rec[k] != word_of(n, k)) {
                    printf("# record %llu: word %u is wrong\n", (unsigned long long)n, k);
                    bad++;
                    break;
                }
    }
    close(fd);
    return bad;
}

/* Lets it acknowledge some batches, more each round, kills it in the midst of the next; the last
 * one said. */
static uint64_t kill_after(const char *path, uint64_t first, unsigned round, int *status)
{
    uint64_t said = 0, last = 0;
    unsigned n = 0, batches = 1 + round * 3;
    int ack[2];
    pid_t pid;

    if (pipe(ack))
        exit(1);
    pid = fork();
    if (!pid) {
        close(ack[0]);
        child(path, ack[1], first, round % 2);
    }
    close(ack[1]);
    while (n < batches && read(ack[0], &said, sizeof(said)) == sizeof(said)) {
        last = said;
        n++;
    }
    kill(pid, SIGKILL);
    while (read(ack[0], &said, sizeof(said)) == sizeof(said))
        last = said; /* said before it died */
    waitpid(pid, status, 0);
    close(ack[0]);
    return last;
}

int main(void)
{
    char path[] = "./durable-XXXXXX";
    int fd = mkstemp(path), status, failed = 0;
    uint64_t first = 0;

    if (fd < 0 || ftruncate(fd, RECORDS * RECORD * BLK_SECTOR))
        return 1;
    close(fd);
    for (unsigned r = 0; r < ROUNDS; r++) {
        uint64_t last = kill_after(path, first, r, &status);
        bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        unsigned bad = verify(path, last);

        printf("%s %u - killed after record %llu, all acknowledged ones are there\n",
               killed && !bad && last > first ? "ok" : "not ok", r + 1, (unsigned long long)last);
        failed += !killed || bad || last <= first;
        first = last + 1;
    }
    unlink(path);
    return failed != 0;
}
