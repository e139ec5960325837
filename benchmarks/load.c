/* Load: a closed-loop SMTP load generator. One thread a connection, blocking sockets, TLS, AUTH PLAIN, PIPELINING.
 *
 * Each message carries `X-Seq: <number>` and `X-Sent: <CLOCK_MONOTONIC in nanoseconds>`, so that the sink on the same
 * machine can tell how long it was under way. Prints one JSON object on standard output.
 *
 * With `-R RATE` the loop is open: message number n is due n / RATE seconds after the start, whether or not the ones
 * before it are done, and `X-Sent` says when it was due; so a relay that makes its clients wait is charged for it.
 *
 * With `-i N` it opens N sessions, authenticates (with -u) and keeps them silent until standard input ends; then asks
 * each whether it still lives. It prints one line when all are open and one at the end.
 *
 * With `-j KEY` the messages are posted to `/v3/mail/send` over HTTPS, one request each, on kept connections.
 *
 * build: cc -O2 -o load load.c -lssl -lcrypto -lpthread
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum tls_mode { TLS_NONE, TLS_STARTTLS, TLS_IMPLICIT };

static struct {
    int port, connections, per_connection, recipients, domains;
    long messages, octets, idle;
    double rate;
    enum tls_mode tls;
    const char *user, *password, *author, *api_key;
} options = {.port = 2525, .connections = 50, .per_connection = 100, .recipients = 1, .domains = 1,
             .messages = 1000, .octets = 10240, .tls = TLS_IMPLICIT, .author = "load@example.test"};

static atomic_long next_sequence, accepted, refused, connections_opened, connections_failed;
static SSL_CTX *tls_context;
static char *body;
static size_t body_length;
static double *latencies, began_at;
static pthread_mutex_t first_error_lock = PTHREAD_MUTEX_INITIALIZER;
static char first_error[256];

struct connection {
    int fd;
    SSL *tls;
    char input[8192], line[1024];
    size_t buffered;
};

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void note_error(const char *text) {
    pthread_mutex_lock(&first_error_lock);
    if (!first_error[0]) {
        snprintf(first_error, sizeof first_error, "%s", text);
        for (char *p = first_error; *p; p++)
            if (*p == '"' || *p == '\\' || (unsigned char)*p < 32) *p = ' ';
    }
    pthread_mutex_unlock(&first_error_lock);
}

static int put(struct connection *c, const char *octets, size_t length) {
    while (length) {
        ssize_t n = c->tls ? SSL_write(c->tls, octets, (int)(length > 16384 ? 16384 : length))
                           : send(c->fd, octets, length, MSG_NOSIGNAL);
        if (n <= 0) return -1;
        octets += n;
        length -= (size_t)n;
    }
    return 0;
}

/* Read what is there, and wait for something; 0, or -1 when the connection is gone or the buffer full. */
static int fill(struct connection *c) {
    size_t room = sizeof c->input - c->buffered;
    if (!room) return -1;
    ssize_t n = c->tls ? SSL_read(c->tls, c->input + c->buffered, (int)room)
                       : recv(c->fd, c->input + c->buffered, room, 0);
    if (n <= 0) return -1;
    c->buffered += (size_t)n;
    return 0;
}

static int get_line(struct connection *c) {
    for (;;) {
        char *end = memchr(c->input, '\n', c->buffered);
        if (end) {
            size_t length = (size_t)(end - c->input) + 1, kept = length < sizeof c->line ? length : sizeof c->line - 1;
            memcpy(c->line, c->input, kept);
            c->line[kept] = 0;
            c->buffered -= length;
            memmove(c->input, end + 1, c->buffered);
            return 0;
        }
        if (fill(c)) return -1;
    }
}

/* The code of one reply, or -1 when the connection is gone. */
static int get_reply(struct connection *c) {
    do {
        if (get_line(c)) return -1;
    } while (strlen(c->line) > 3 && c->line[3] == '-');
    return atoi(c->line);
}

/* The status of one HTTP response, its body read; -1 when the connection is gone. The bodies meant here are short. */
static int get_response(struct connection *c) {
    if (get_line(c)) return -1;
    int status = atoi(c->line + strlen("HTTP/1.1 "));
    size_t length = 0;
    if (status >= 400) note_error(c->line);
    do {
        if (get_line(c)) return -1;
        if (!strncasecmp(c->line, "content-length:", 15)) length = (size_t)atol(c->line + 15);
    } while (c->line[0] != '\r');
    if (length > sizeof c->input) return -1;
    while (c->buffered < length)
        if (fill(c)) return -1;
    c->buffered -= length;
    memmove(c->input, c->input + length, c->buffered);
    return status;
}

static int ask(struct connection *c, const char *line) {
    return put(c, line, strlen(line)) ? -1 : get_reply(c);
}

static void hang_up(struct connection *c) {
    if (c->tls) SSL_free(c->tls);
    if (c->fd >= 0) close(c->fd);
    c->tls = NULL;
    c->fd = -1;
    c->buffered = 0;
}

static int handshake(struct connection *c) {
    c->tls = SSL_new(tls_context);
    SSL_set_fd(c->tls, c->fd);
    return SSL_connect(c->tls) == 1 ? 0 : -1;
}

static int authenticate(struct connection *c) {
    char plain[700], encoded[1000], line[1100];
    int length = snprintf(plain, sizeof plain, "%c%s%c%s", 0, options.user, 0, options.password);
    EVP_EncodeBlock((unsigned char *)encoded, (unsigned char *)plain, length);
    snprintf(line, sizeof line, "AUTH PLAIN %s\r\n", encoded);
    return ask(c, line) == 235 ? 0 : -1;
}

static int open_connection(struct connection *c) {
    int one = 1;
    struct timeval limit = {60, 0};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)options.port)};
    memset(c, 0, sizeof *c);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address)) goto failed;
    if (options.tls == TLS_IMPLICIT && handshake(c)) goto failed;
    if (options.api_key) goto opened;
    if (get_reply(c) != 220 || ask(c, "EHLO load.example.test\r\n") != 250) goto failed;
    if (options.tls == TLS_STARTTLS &&
        (ask(c, "STARTTLS\r\n") != 220 || handshake(c) || ask(c, "EHLO load.example.test\r\n") != 250))
        goto failed;
    if (options.user && authenticate(c)) goto failed;
opened:
    atomic_fetch_add(&connections_opened, 1);
    return 0;
failed:
    note_error(c->line[0] ? c->line : strerror(errno));
    atomic_fetch_add(&connections_failed, 1);
    hang_up(c);
    return -1;
}

/* When a message is due with a given rate; without one, now. Returns when it is. */
static double wait_until_due(long sequence) {
    if (options.rate <= 0) return seconds();
    double due = began_at + (double)sequence / options.rate, left = due - seconds();
    if (left > 0) usleep((useconds_t)(left * 1e6));
    return due;
}

/* One transaction; 0 accepted, 1 refused, -1 connection lost. */
static int send_message(struct connection *c, long sequence, double sent_at) {
    char envelope[16384], head[512];
    size_t length = (size_t)snprintf(envelope, sizeof envelope, "MAIL FROM:<%s>\r\n", options.author);
    for (int r = 0; r < options.recipients; r++)
        length += (size_t)snprintf(envelope + length, sizeof envelope - length, "RCPT TO:<u%ld.%d@dest%ld.test>\r\n",
                                   sequence, r, (sequence + r) % options.domains);
    length += (size_t)snprintf(envelope + length, sizeof envelope - length, "DATA\r\n");
    if (put(c, envelope, length)) return -1;
    for (int replies = 0; replies < options.recipients + 2; replies++) {
        int code = get_reply(c);
        if (code < 0) return -1;
        if (code >= 400) {
            note_error(c->line);
            return -1;
        }
    }
    int head_length = snprintf(head, sizeof head,
                               "X-Seq: %ld\r\nX-Sent: %.0f\r\nMessage-ID: <%ld.%d@load.example.test>\r\n", sequence,
                               sent_at * 1e9, sequence, (int)getpid());
    char *whole = malloc((size_t)head_length + body_length);
    memcpy(whole, head, (size_t)head_length);
    memcpy(whole + head_length, body, body_length);
    int lost = put(c, whole, (size_t)head_length + body_length);
    free(whole);
    if (lost) return -1;
    int code = get_reply(c);
    if (code == 250) return 0;
    note_error(c->line);
    return code < 0 ? -1 : 1;
}

/* One request; as above. */
static int post_message(struct connection *c, long sequence, double sent_at) {
    char head[512], json[512];
    int json_length = snprintf(json, sizeof json,
                               "{\"personalizations\": [{\"to\": [{\"email\": \"u%ld@dest%ld.test\"}]}], \"headers\": "
                               "{\"X-Seq\": \"%ld\", \"X-Sent\": \"%.0f\"}, ",
                               sequence, sequence % options.domains, sequence, sent_at * 1e9);
    int head_length = snprintf(head, sizeof head,
                               "POST /v3/mail/send HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
                               "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                               options.api_key, (size_t)json_length + body_length);
    char *whole = malloc((size_t)(head_length + json_length) + body_length), *end = whole;
    end = mempcpy(end, head, (size_t)head_length);
    end = mempcpy(end, json, (size_t)json_length);
    end = mempcpy(end, body, body_length);
    int lost = put(c, whole, (size_t)(end - whole));
    free(whole);
    if (lost) return -1;
    int status = get_response(c);
    return status == 202 ? 0 : status < 0 ? -1 : 1;
}

static void end_session(struct connection *c) {
    if (!options.api_key) ask(c, "QUIT\r\n");
    hang_up(c);
}

static void *run_connection(void *unused) {
    struct connection c = {.fd = -1};
    int left = 0, failures = 0;
    (void)unused;
    for (;;) {
        long sequence = atomic_fetch_add(&next_sequence, 1);
        if (sequence >= options.messages) break;
        double due = wait_until_due(sequence);
        if (c.fd >= 0 && left == 0) {
            end_session(&c);
        }
        while (c.fd < 0) {
            if (open_connection(&c) == 0) break;
            if (++failures > 100) return NULL;
            usleep(50000);
        }
        if (left == 0) left = options.per_connection;
        double began = seconds();
        double sent_at = options.rate > 0 ? due : began;
        int outcome = options.api_key ? post_message(&c, sequence, sent_at) : send_message(&c, sequence, sent_at);
        latencies[sequence] = seconds() - began;
        left--;
        if (outcome == 0)
            atomic_fetch_add(&accepted, 1);
        else
            atomic_fetch_add(&refused, 1);
        if (outcome < 0) {
            hang_up(&c);
            left = 0;
        }
    }
    if (c.fd >= 0) end_session(&c);
    return NULL;
}

static void make_body(void) {
    static const char words[] = "the relay answers for every message it has taken and keeps its books in order ";
    const char *line_end = options.api_key ? "\\r\\n" : "\r\n", *end = options.api_key ? "\"}]}" : "\r\n.\r\n";
    int n;
    body = malloc((size_t)options.octets * 2 + 1024);
    if (options.api_key)
        n = sprintf(body,
                    "\"from\": {\"email\": \"%s\", \"name\": \"Load\"}, \"subject\": \"A message of the benchmark\", "
                    "\"content\": [{\"type\": \"text/plain\", \"value\": \"",
                    options.author);
    else
        n = sprintf(body,
                    "Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nFrom: Load <%s>\r\nTo: Somebody <somebody@dest0.test>\r\n"
                    "Subject: A message of the benchmark\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "
                    "charset=utf-8\r\n\r\n",
                    options.author);
    body_length = (size_t)n;
    for (size_t column = 0, word = 0; body_length < (size_t)options.octets;) {
        body[body_length++] = words[word++ % (sizeof words - 1)];
        if (++column == 72) {
            if (body[body_length - 1] == ' ') body[body_length - 1] = '.';
            body_length = (size_t)(stpcpy(body + body_length, line_end) - body);
            column = 0;
        }
    }
    body_length = (size_t)(stpcpy(body + body_length, end) - body);
}

static struct connection *idle_sessions;

static void *open_idle(void *unused) {
    (void)unused;
    for (long i; (i = atomic_fetch_add(&next_sequence, 1)) < options.idle;) open_connection(&idle_sessions[i]);
    return NULL;
}

/* Open all sessions, some at a time; keep them; count those that still answer. */
static int keep_idle(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    idle_sessions = calloc((size_t)options.idle, sizeof *idle_sessions);
    pthread_t threads[16];
    for (int i = 0; i < 16; i++) pthread_create(&threads[i], NULL, open_idle, NULL);
    for (int i = 0; i < 16; i++) pthread_join(threads[i], NULL);
    printf("{\"open\": %ld, \"failed\": %ld, \"first_error\": \"%s\"}\n", connections_opened, connections_failed,
           first_error);
    fflush(stdout);
    while (getchar() != EOF) continue;
    long alive = 0;
    for (long i = 0; i < options.idle; i++) {
        struct connection *c = &idle_sessions[i];
        if (c->fd > 0 && ask(c, "NOOP\r\n") == 250) alive++;
        if (c->fd > 0) hang_up(c);
    }
    printf("{\"alive\": %ld}\n", alive);
    return 0;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
    int option;
    while ((option = getopt(argc, argv, "p:c:k:r:d:n:s:t:u:w:f:R:i:j:")) != -1) switch (option) {
        case 'p': options.port = atoi(optarg); break;
        case 'c': options.connections = atoi(optarg); break;
        case 'k': options.per_connection = atoi(optarg); break;
        case 'r': options.recipients = atoi(optarg); break;
        case 'd': options.domains = atoi(optarg); break;
        case 'n': options.messages = atol(optarg); break;
        case 's': options.octets = atol(optarg); break;
        case 'u': options.user = optarg; break;
        case 'w': options.password = optarg; break;
        case 'f': options.author = optarg; break;
        case 'R': options.rate = atof(optarg); break;
        case 'i': options.idle = atol(optarg); break;
        case 'j': options.api_key = optarg; break;
        case 't':
            options.tls = !strcmp(optarg, "none") ? TLS_NONE : !strcmp(optarg, "starttls") ? TLS_STARTTLS : TLS_IMPLICIT;
            break;
        default: return 2;
        }
    tls_context = SSL_CTX_new(TLS_client_method());
    signal(SIGPIPE, SIG_IGN);
    if (options.idle) return keep_idle();
    make_body();
    latencies = calloc((size_t)options.messages + 1, sizeof *latencies);
    pthread_t *threads = calloc((size_t)options.connections, sizeof *threads);
    double began = began_at = seconds();
    for (int i = 0; i < options.connections; i++) pthread_create(&threads[i], NULL, run_connection, NULL);
    for (int i = 0; i < options.connections; i++) pthread_join(threads[i], NULL);
    double took = seconds() - began;
    qsort(latencies, (size_t)options.messages, sizeof *latencies, by_value);
    printf("{\"began\": %.6f, \"seconds\": %.6f, \"accepted\": %ld, \"refused\": %ld, \"connections\": %ld, "
           "\"connections_failed\": %ld, \"accept_p50\": %.6f, \"accept_p99\": %.6f, \"first_error\": \"%s\"}\n",
           began, took, accepted, refused, connections_opened, connections_failed, latencies[options.messages / 2],
           latencies[options.messages * 99 / 100], first_error);
    return 0;
}
