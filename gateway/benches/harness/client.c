/* An HTTP client that loads a server and looks at every answer.
 *
 *     client [options] "STATUS TEXT" ...
 *
 *     -p PORT   of the server, on 127.0.0.1
 *     -f FILE   requests without bodies, sent in turn, again and again
 *     -c COUNT  connections; each has one request in flight at most
 *     -n COUNT  requests to send; otherwise as many as there is time for
 *     -t TIME   the end, in seconds; with -n it is a failure if it comes first
 *     -r RATE   requests a second, each due at its own moment whether or not those before it have
 *               been answered. A request's time counts from when it was due, so that a server that
 *               stalls is charged for everybody who had to wait. Otherwise a connection's next
 *               request follows its answer, and times count from sending
 *     -w TIME   milliseconds that each connection waits between an answer and the next request
 *     -o FILE   what each answer's first cookie is written to, as name=value
 *
 * Every answer must have one of the given statuses, or one that begins so ("2"), and, anywhere in it, the
 * text beside it. The first that has none of them is printed, and that is the end: a fast wrong answer is
 * no measurement.
 *
 * Ends early, but well, on SIGTERM. What is in flight in the end is waited for, and looked at, but not
 * counted: a server may go on working for clients that have left, and whoever measures next would pay
 * for it. Prints one line of JSON: how many answers there were of each kind
 * and in all, how many a second from the first to the last, and times in microseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER = 8192, EVENTS = 64 };
static const int64_t SECOND = 1000000000, MILLISECOND = 1000000, FOREVER = INT64_MAX;
static const int64_t PATIENCE = 30;     /* seconds, for what is in flight in the end */

struct connection {
    int socket;
    int64_t ready;      /* when it may send again */
    int64_t due;        /* when the request in flight should have been sent */
    size_t length;      /* bytes of the answer so far */
    char answer[ANSWER + 1];
};

struct request {
    const char *text;
    size_t length;
};

struct kind {           /* an answer that is right */
    const char *status, *text;
    size_t count;
};

static struct request *requests;
static size_t request_count;
static struct connection **idle;        /* a ring: whoever has waited longest is next */
static size_t idle_first, idle_count, connection_count;
static struct kind *kinds;
static size_t kind_count;
static uint32_t *times;
static size_t sent, answered, room, total = SIZE_MAX;
static int64_t started, first_answer, last_answer, pause_between;
static double rate;
static volatile sig_atomic_t is_over;
static int is_counted = 1;
static FILE *cookies;

static void fail(const char *what)
{
    fprintf(stderr, "client: %s: %s\n", what, errno ? strerror(errno) : "not as expected");
    exit(1);
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

static char *whole_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file || fseek(file, 0, SEEK_END))
        fail(path);
    size_t size = ftell(file);
    char *text = malloc(size + 1);
    rewind(file);
    if (!text || fread(text, 1, size, file) != size)
        fail(path);
    text[size] = 0;
    fclose(file);
    return text;
}

/* Notes where each request begins: after the empty line of the one before. */
static void read_requests(const char *path)
{
    size_t most = 0;
    for (char *text = whole_file(path), *end; (end = strstr(text, "\r\n\r\n")); text = end) {
        end += 4;
        if (request_count == most) {
            most = most ? 2 * most : 64;
            requests = realloc(requests, most * sizeof *requests);
        }
        requests[request_count++] = (struct request){text, end - text};
    }
    if (!request_count)
        fail("no request in the file");
}

/* Splits "STATUS TEXT"; without a text, any will do. */
static void read_kinds(char **arguments, size_t count)
{
    kinds = calloc(count, sizeof *kinds);
    kind_count = count;
    for (size_t i = 0; i < count; i++) {
        kinds[i].status = strsep(&arguments[i], " ");
        kinds[i].text = arguments[i] ? arguments[i] : "";
    }
}

static void put_idle(struct connection *c, int64_t ready)
{
    c->ready = ready;
    idle[(idle_first + idle_count++) % connection_count] = c;
}

static struct connection *take_idle(void)
{
    struct connection *c = idle[idle_first];
    idle_first = (idle_first + 1) % connection_count;
    idle_count--;
    return c;
}

static void connect_all(int port, int poll)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    idle = calloc(connection_count, sizeof *idle);
    for (size_t i = 0; i < connection_count; i++) {
        struct connection *c = calloc(1, sizeof *c);
        int one = 1;
        c->socket = socket(AF_INET, SOCK_STREAM, 0);
        if (c->socket < 0 || connect(c->socket, (struct sockaddr *)&address, sizeof address))
            fail("connect");
        setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poll, EPOLL_CTL_ADD, c->socket, &event);
        put_idle(c, 0);
    }
}

/* When the next request is to be sent; never while no connection is free, or when all are sent. */
static int64_t next_moment(void)
{
    if (sent == total || !idle_count)
        return FOREVER;
    int64_t due = rate > 0 ? started + (int64_t)(sent * (SECOND / rate)) : 0;
    return due > idle[idle_first]->ready ? due : idle[idle_first]->ready;
}

static void send_next(int64_t time)
{
    struct connection *c = take_idle();
    c->due = rate > 0 ? started + (int64_t)(sent * (SECOND / rate)) : time;
    c->length = 0;
    struct request *request = &requests[sent++ % request_count];
    if (send(c->socket, request->text, request->length, MSG_NOSIGNAL) != (ssize_t)request->length)
        fail("send");
}

static void note_time(int64_t time, int64_t due)
{
    if (answered == room) {
        room = room ? 2 * room : 65536;
        times = realloc(times, room * sizeof *times);
    }
    if (!answered)
        first_answer = time;
    last_answer = time;
    times[answered++] = (time - due) / 1000;
}

static void note_kind(const char *answer)
{
    for (struct kind *kind = kinds; kind < kinds + kind_count; kind++) {
        int is_status = !strncmp(answer + strlen("HTTP/1.1 "), kind->status, strlen(kind->status));
        if (is_status && strcasestr(answer, kind->text)) {
            kind->count += is_counted;
            return;
        }
    }
    fprintf(stderr, "client: a wrong answer:\n%s\n", answer);
    exit(1);
}

static void note_cookie(const char *answer)
{
    const char *value = strcasestr(answer, "\r\nset-cookie: ");
    if (value) {
        value += strlen("\r\nset-cookie: ");
        fprintf(cookies, "%.*s\n", (int)strcspn(value, ";\r"), value);
    }
}

/* Whether the answer is there as a whole, head and body. */
static int is_whole(const struct connection *c)
{
    const char *end = strstr(c->answer, "\r\n\r\n");
    const char *length = strcasestr(c->answer, "\r\ncontent-length:");
    if (!end)
        return 0;
    size_t body = length && length < end ? strtoul(length + strlen("\r\ncontent-length:"), NULL, 10) : 0;
    return c->length >= end + 4 - c->answer + body;
}

static void receive(struct connection *c)
{
    ssize_t got = recv(c->socket, c->answer + c->length, ANSWER - c->length, 0);
    if (got <= 0)
        fail("the server closed a connection");
    c->length += got;
    c->answer[c->length] = 0;
    if (!is_whole(c))
        return;
    int64_t time = now();
    note_kind(c->answer);
    if (cookies)
        note_cookie(c->answer);
    if (is_counted)
        note_time(time, c->due);
    put_idle(c, time + pause_between);
}

static void wait_for_answers(int poll, int64_t until)
{
    struct epoll_event events[EVENTS];
    int64_t left = until - now();
    left = left < 0 ? 0 : left < SECOND ? left : SECOND;
    struct timespec wait = {left / SECOND, left % SECOND};
    int ready = epoll_pwait2(poll, events, EVENTS, &wait, NULL);
    for (int i = 0; i < ready; i++)
        receive(events[i].data.ptr);
}

static void load(int poll, int64_t end)
{
    started = now();
    while (answered < total && !is_over) {
        int64_t time = now();
        if (time >= end)
            break;
        while (next_moment() <= time)
            send_next(time);
        int64_t next = next_moment();
        wait_for_answers(poll, next < end ? next : end);
    }
}

static void wait_for_the_rest(int poll)
{
    int64_t end = now() + PATIENCE * SECOND;
    is_counted = 0;
    while (idle_count < connection_count) {
        if (now() > end) {
            fprintf(stderr, "client: no answer in %d s\n", (int)PATIENCE);
            exit(1);
        }
        wait_for_answers(poll, end);
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t quantile(double share)
{
    return answered ? times[(size_t)(share * (answered - 1))] : 0;
}

static void print_result(void)
{
    double seconds = (last_answer - first_answer) / (double)SECOND;
    qsort(times, answered, sizeof *times, compare);
    printf("{\"kinds\": [");
    for (size_t i = 0; i < kind_count; i++)
        printf("%s%zu", i ? ", " : "", kinds[i].count);
    printf("], \"answers\": %zu, \"per_second\": %.3f, \"seconds\": %.6f, \"p50\": %u, \"p90\": %u, \"p99\": %u, "
           "\"p999\": %u, \"max\": %u}\n", answered, seconds > 0 ? (answered - 1) / seconds : 0,
           (last_answer - started) / (double)SECOND, quantile(.5), quantile(.9), quantile(.99), quantile(.999),
           quantile(1));
}

static void end_early(int signal)
{
    (void)signal;
    is_over = 1;
}

int main(int count, char **arguments)
{
    int port = 0, option, poll = epoll_create1(0);
    int64_t seconds = 3600;
    while ((option = getopt(count, arguments, "p:f:c:n:t:r:w:o:")) != -1) {
        switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'f': read_requests(optarg); break;
        case 'c': connection_count = strtoul(optarg, NULL, 10); break;
        case 'n': total = strtoul(optarg, NULL, 10); break;
        case 't': seconds = strtoul(optarg, NULL, 10); break;
        case 'r': rate = strtod(optarg, NULL); break;
        case 'w': pause_between = strtoul(optarg, NULL, 10) * MILLISECOND; break;
        case 'o':
            if (!(cookies = fopen(optarg, "w")))
                fail(optarg);
            break;
        default: return 64;
        }
    }
    read_kinds(arguments + optind, count - optind);
    if (!port || !request_count || !connection_count || !kind_count) {
        fprintf(stderr, "client: -p, -f, -c and at least one kind of answer are needed\n");
        return 64;
    }
    signal(SIGTERM, end_early);
    prctl(PR_SET_TIMERSLACK, 1UL);
    connect_all(port, poll);
    load(poll, now() + seconds * SECOND);
    wait_for_the_rest(poll);
    if (total != SIZE_MAX && answered < total && !is_over) {
        fprintf(stderr, "client: %zu of %zu answers when the time was over\n", answered, total);
        return 1;
    }
    print_result();
    return cookies ? fclose(cookies) : 0;
}
