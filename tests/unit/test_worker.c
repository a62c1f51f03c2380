/* SPDX-License-Identifier: MIT */
/* test_worker.c - tests which thread a worker belongs to, and mail from many threads at once. */
#include "turns.h"

#include <pthread.h>
#include <stdlib.h>

#include "src/worker/mailbox.h"
#include "src/worker/worker.h"

/* ---- mail */

enum { THREADS = 4, MAILS = 2000 };

struct letter {
    struct mail mail;
    int sender, number;
};

struct reader {
    int next[THREADS], received;
    bool disorder;
};

static void read_letter(struct mail *m, void *user)
{
    struct letter *l = CONTAINER_OF(m, struct letter, mail);
    struct reader *r = user;
    r->disorder |= l->number != r->next[l->sender]++;
    r->received++;
    free(l);
}

struct sender {
    pthread_t thread;
    struct mailbox *to;
    int index;
};

static void *send_letters(void *arg)
{
    struct sender *s = arg;
    for (int i = 0; i < MAILS; i++) {
        struct letter *l = calloc(1, sizeof *l);
        *l = (struct letter){.mail.deliver = read_letter, .sender = s->index, .number = i};
        mailbox_post(s->to, &l->mail);
    }
    return NULL;
}

static bool all_received(void *user)
{
    return ((struct reader *)user)->received == THREADS * MAILS;
}

/* All letters arrive, and those of each sender in order. */
static void test_mail(void **state)
{
    struct loop *loop = loop_new();
    struct reader reader = {.received = 0};
    struct mailbox *box = mailbox_new(loop, &reader);
    struct sender senders[THREADS];
    for (int i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){.to = box, .index = i};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_letters, &senders[i]), 0);
    }
    turns_until(loop, all_received, &reader);
    for (int i = 0; i < THREADS; i++)
        pthread_join(senders[i].thread, NULL);
    assert_false(reader.disorder);
    mailbox_free(box);
    loop_free(loop);
}

/* A letter that is posted when the loop has ended is delivered, too, since it may own something. */
static void test_mail_after_the_end(void **state)
{
    struct loop *loop = loop_new();
    struct reader reader = {.received = 0};
    struct mailbox *box = mailbox_new(loop, &reader);
    struct letter *l = calloc(1, sizeof *l);
    l->mail.deliver = read_letter;
    mailbox_post(box, &l->mail);
    mailbox_free(box);
    assert_int_equal(reader.received, 1);
    loop_free(loop);
}

/* ---- the thread */

static pthread_t ran_on;

static void run(struct worker *w)
{
    worker_check(w);
    ran_on = pthread_self();
}

/* The worker belongs to the thread that makes it, then to its own, then to the one that joins. */
static void test_thread(void **state)
{
    struct config config = {.timeouts.stall_ms = 1000};
    struct server server = {.config = &config};
    struct worker *w = worker_new(&server, 3);
    assert_non_null(w);
    worker_check(w);
    assert_int_equal(w->index, 3);
    assert_int_equal(worker_start(w, run), 0);
    worker_join(w);
    worker_check(w);
    assert_false(pthread_equal(ran_on, pthread_self()));
    worker_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mail),
        cmocka_unit_test(test_mail_after_the_end),
        cmocka_unit_test(test_thread),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
