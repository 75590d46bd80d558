/* An HTTP client for what wrk cannot do: a steady rate, an exact number of requests, many cookies.
 *
 *     client PORT CONNECTIONS REQUESTS COUNT RATE [COOKIES]
 *
 * REQUESTS is a file of requests without bodies, sent in turn; COUNT is how many to send. RATE is
 * requests a second, each due at its own moment whether or not the ones before have been answered:
 * a request's time counts from when it was due, so that a server that stalls is charged for
 * everybody who had to wait. RATE 0 sends as fast as answers come, and times from sending. COOKIES
 * is a file to which each answer's first cookie is written, as name=value.
 *
 * Prints one line of JSON: requests, seconds, answers that are not 2xx, and times in microseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 8192, EVENTS = 64 };

struct connection {
    int socket;
    int64_t due;        /* when the request in flight should have been sent, in nanoseconds */
    size_t length;      /* bytes of the answer so far */
    char answer[HEAD + 1];
};

struct request {
    const char *text;
    size_t length;
};

static struct request *requests;
static size_t request_count;
static struct connection *connections;
static struct connection **idle;         /* a ring: whoever has waited longest is next */
static size_t idle_first, idle_count, connection_count;
static uint32_t *times;
static size_t sent, answered, wrong, total;
static FILE *cookies;

static void fail(const char *what)
{
    fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* Reads the file and notes where each request begins: after the empty line of the one before. */
static void read_requests(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file || fseek(file, 0, SEEK_END))
        fail(path);
    size_t size = ftell(file), room = 0;
    char *text = malloc(size + 1), *end;
    rewind(file);
    if (!text || fread(text, 1, size, file) != size)
        fail(path);
    text[size] = 0;
    fclose(file);
    while ((end = strstr(text, "\r\n\r\n"))) {
        end += 4;
        if (request_count == room) {
            room = room ? 2 * room : 64;
            requests = realloc(requests, room * sizeof *requests);
        }
        requests[request_count++] = (struct request){text, end - text};
        text = end;
    }
    if (!request_count) {
        fprintf(stderr, "client: %s: no request in it\n", path);
        exit(1);
    }
}

static void put_idle(struct connection *c)
{
    idle[(idle_first + idle_count++) % connection_count] = c;
}

static struct connection *take_idle(void)
{
    struct connection *c = idle[idle_first];
    idle_first = (idle_first + 1) % connection_count;
    idle_count--;
    return c;
}

static void connect_all(int port, size_t count, int poll)
{
    connection_count = count;
    connections = calloc(count, sizeof *connections);
    idle = calloc(count, sizeof *idle);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (size_t i = 0; i < count; i++) {
        struct connection *c = &connections[i];
        int one = 1;
        c->socket = socket(AF_INET, SOCK_STREAM, 0);
        if (c->socket < 0 || connect(c->socket, (struct sockaddr *)&address, sizeof address))
            fail("connect");
        setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poll, EPOLL_CTL_ADD, c->socket, &event);
        put_idle(c);
    }
}

static void send_next(int64_t due)
{
    struct connection *c = take_idle();
    struct request *request = &requests[sent++ % request_count];
    c->due = due;
    c->length = 0;
    if (send(c->socket, request->text, request->length, MSG_NOSIGNAL) != (ssize_t)request->length)
        fail("send");
}

static void note_cookie(const char *head)
{
    const char *value = strcasestr(head, "\r\nset-cookie: ");
    if (value) {
        value += strlen("\r\nset-cookie: ");
        fprintf(cookies, "%.*s\n", (int)strcspn(value, ";\r"), value);
    }
}

/* How long the answer is, head and body, once the head is there; 0 before. */
static size_t whole_length(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    const char *length = strcasestr(answer, "\r\ncontent-length:");
    if (!end)
        return 0;
    size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
    return end + 4 - answer + body;
}

static void receive(struct connection *c)
{
    ssize_t got = recv(c->socket, c->answer + c->length, HEAD - c->length, 0);
    if (got <= 0)
        fail("the server closed a connection");
    c->length += got;
    c->answer[c->length] = 0;
    size_t whole = whole_length(c->answer);
    if (!whole || c->length < whole)
        return;
    if (strncmp(c->answer, "HTTP/1.1 2", 10))
        wrong++;
    if (cookies)
        note_cookie(c->answer);
    times[answered++] = (now() - c->due) / 1000;
    put_idle(c);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t quantile(double share)
{
    return times[(size_t)(share * (total - 1))];
}

int main(int count, char **arguments)
{
    if (count < 6) {
        fprintf(stderr, "usage: client PORT CONNECTIONS REQUESTS COUNT RATE [COOKIES]\n");
        return 64;
    }
    int poll = epoll_create1(0);
    total = strtoul(arguments[4], NULL, 10);
    double rate = strtod(arguments[5], NULL);
    times = malloc(total * sizeof *times);
    if (count > 6 && !(cookies = fopen(arguments[6], "w")))
        fail(arguments[6]);
    read_requests(arguments[3]);
    connect_all(atoi(arguments[1]), strtoul(arguments[2], NULL, 10), poll);
    prctl(PR_SET_TIMERSLACK, 1UL);

    int64_t start = now();
    while (answered < total) {
        int64_t next = rate > 0 ? start + (int64_t)(sent * 1e9 / rate) : 0, time = now();
        while (sent < total && idle_count && next <= time) {
            send_next(rate > 0 ? next : time);
            next = rate > 0 ? start + (int64_t)(sent * 1e9 / rate) : 0;
        }
        int64_t pause = sent < total && idle_count ? next - time : 1000000000;
        struct timespec wait = {pause / 1000000000, pause % 1000000000};
        struct epoll_event events[EVENTS];
        int ready = epoll_pwait2(poll, events, EVENTS, &wait, NULL);
        for (int i = 0; i < ready; i++)
            receive(events[i].data.ptr);
    }
    double seconds = (now() - start) / 1e9;
    qsort(times, total, sizeof *times, compare);
    printf("{\"requests\": %zu, \"seconds\": %.6f, \"wrong\": %zu, \"p50\": %u, \"p90\": %u, "
           "\"p99\": %u, \"p999\": %u, \"max\": %u}\n",
           total, seconds, wrong, quantile(.5), quantile(.9), quantile(.99), quantile(.999),
           quantile(1));
    return cookies ? fclose(cookies) : 0;
}
