/* Sink: a receiving SMTP server that takes everything, remembers nothing but figures, and costs next to no CPU.
 *
 * One thread, epoll, plain SMTP with PIPELINING. On SIGTERM prints one JSON object: messages, recipients, the number of
 * DKIM-Signature fields seen, first and last arrival (CLOCK_MONOTONIC, seconds), and how long messages were under way
 * according to their `X-Sent` field. SIGUSR1 starts the count anew. SIGUSR2 prints the object without ending.
 *
 * build: cc -O2 -o sink sink.c
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LIMIT 4096
#define HEAD 8192

struct client {
    int fd, in_data, recipients;
    char line[LIMIT];  /* commands: the unfinished line */
    size_t length;
    char tail[5];      /* content: its last five octets */
    char head[HEAD];   /* content: its first octets, for the fields we read */
    size_t head_length;
};

static long messages, recipients, signatures, under_way_count, under_way_room;
static double first_at, last_at, *under_way;

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void say(struct client *c, const char *text) {
    if (write(c->fd, text, strlen(text)) < 0) shutdown(c->fd, SHUT_RDWR);
}

static void count_message(struct client *c) {
    last_at = seconds();
    if (!messages++) first_at = last_at;
    recipients += c->recipients;
    c->head[c->head_length < HEAD ? c->head_length : HEAD - 1] = 0;
    for (char *p = c->head; (p = strstr(p, "DKIM-Signature:")); p++) signatures++;
    char *sent = strstr(c->head, "X-Sent: ");
    if (sent) {
        if (under_way_count == under_way_room) {
            under_way_room = under_way_room ? under_way_room * 2 : 65536;
            under_way = realloc(under_way, (size_t)under_way_room * sizeof *under_way);
        }
        under_way[under_way_count++] = last_at - atof(sent + 8) / 1e9;
    }
    c->in_data = c->recipients = 0;
    c->length = 0;
}

static void run_command(struct client *c) {
    if (!strncasecmp(c->line, "EHLO", 4))
        say(c, "250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n");
    else if (!strncasecmp(c->line, "RCPT", 4)) {
        c->recipients++;
        say(c, "250 2.1.5 Ok\r\n");
    } else if (!strncasecmp(c->line, "DATA", 4)) {
        c->in_data = 1;
        c->head_length = 0;
        memcpy(c->tail, "\0\0\0\r\n", 5);
        say(c, "354 Go on\r\n");
    } else if (!strncasecmp(c->line, "QUIT", 4)) {
        say(c, "221 2.0.0 Bye\r\n");
        shutdown(c->fd, SHUT_RDWR);
    } else if (!strncasecmp(c->line, "MAIL", 4) || !strncasecmp(c->line, "RSET", 4)) {
        c->recipients = 0;
        say(c, "250 2.0.0 Ok\r\n");
    } else
        say(c, "250 2.0.0 Ok\r\n");
}

/* Take octets of content; return how many were content, the rest being commands again. */
static size_t take_content(struct client *c, const char *octets, size_t length) {
    char joint[10];
    size_t n = length < 5 ? length : 5;
    memcpy(joint, c->tail, 5);
    memcpy(joint + 5, octets, n);
    size_t used = length;
    int ended = 0;
    char *p = memmem(joint, 5 + n, "\r\n.\r\n", 5);
    if (p && p > joint) {
        used = (size_t)(p + 5 - (joint + 5));
        ended = 1;
    } else if ((p = memmem(octets, length, "\r\n.\r\n", 5))) {
        used = (size_t)(p + 5 - octets);
        ended = 1;
    }
    if (c->head_length < HEAD) {
        size_t kept = HEAD - c->head_length < used ? HEAD - c->head_length : used;
        memcpy(c->head + c->head_length, octets, kept);
        c->head_length += kept;
    }
    if (ended) {
        count_message(c);
        say(c, "250 2.0.0 Ok\r\n");
    } else if (length >= 5)
        memcpy(c->tail, octets + length - 5, 5);
    else {
        memmove(c->tail, c->tail + length, 5 - length);
        memcpy(c->tail + 5 - length, octets, length);
    }
    return used;
}

static void take(struct client *c, const char *octets, size_t length) {
    while (length) {
        if (c->in_data) {
            size_t used = take_content(c, octets, length);
            octets += used;
            length -= used;
            continue;
        }
        const char *end = memchr(octets, '\n', length);
        size_t part = end ? (size_t)(end - octets) + 1 : length;
        size_t kept = part < LIMIT - 1 - c->length ? part : LIMIT - 1 - c->length;
        memcpy(c->line + c->length, octets, kept);
        c->length += kept;
        octets += part;
        length -= part;
        if (end) {
            c->line[c->length] = 0;
            c->length = 0;
            run_command(c);
        }
    }
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void report(void) {
    double p50 = 0, p99 = 0;
    if (under_way_count) {
        qsort(under_way, (size_t)under_way_count, sizeof *under_way, by_value);
        p50 = under_way[under_way_count / 2];
        p99 = under_way[under_way_count * 99 / 100];
    }
    printf("{\"messages\": %ld, \"recipients\": %ld, \"signatures\": %ld, \"first_at\": %.6f, \"last_at\": %.6f, "
           "\"under_way_p50\": %.6f, \"under_way_p99\": %.6f}\n",
           messages, recipients, signatures, first_at, last_at, p50, p99);
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: sink PORT\n");
        return 2;
    }
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    int one = 1, poll = epoll_create1(0), signals = signalfd(-1, &set, 0), listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[1]))};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) {
        perror("sink");
        return 1;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener}, ready[64];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    event.data.ptr = &signals;
    epoll_ctl(poll, EPOLL_CTL_ADD, signals, &event);
    static char buffer[1 << 16];
    for (;;) {
        int n = epoll_wait(poll, ready, 64, -1);
        for (int i = 0; i < n; i++) {
            if (ready[i].data.ptr == &listener) {
                int fd = accept(listener, NULL, NULL);
                if (fd < 0) continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                struct client *c = calloc(1, sizeof *c);
                c->fd = fd;
                event.events = EPOLLIN;
                event.data.ptr = c;
                epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
                say(c, "220 sink.test ESMTP\r\n");
            } else if (ready[i].data.ptr == &signals) {
                struct signalfd_siginfo info;
                if (read(signals, &info, sizeof info) != sizeof info) continue;
                if (info.ssi_signo == SIGUSR1)
                    messages = recipients = signatures = under_way_count = 0;
                else
                    report();
                if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) return 0;
            } else {
                struct client *c = ready[i].data.ptr;
                ssize_t length = read(c->fd, buffer, sizeof buffer);
                if (length <= 0) {
                    close(c->fd);
                    free(c);
                } else
                    take(c, buffer, (size_t)length);
            }
        }
    }
}
