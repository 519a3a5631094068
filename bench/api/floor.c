/*
 * The floor: what answering one HTTP request costs on this machine when there is nothing to do. One process, one thread,
 * epoll, keep-alive, one read and one write for each request, and a fixed answer of the size of our own /health.
 *
 * It understands no HTTP: whatever ends with an empty line is a request. Measure with it, never serve with it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char ANSWER[] = "HTTP/1.1 200 OK\r\n"
                             "content-type: application/json\r\n"
                             "cache-control: no-store\r\n"
                             "x-content-type-options: nosniff\r\n"
                             "x-request-id: 00000000-0000-0000-0000-000000000000\r\n"
                             "content-length: 20\r\n"
                             "date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                             "\r\n"
                             "{\"status\":\"healthy\"}";

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void watch(int epoll, int descriptor) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) < 0) die("epoll_ctl");
}

static void answer(int connection) {
    char request[8192];
    ssize_t size = read(connection, request, sizeof request);
    /* The driver sends each request whole and waits for its answer; nothing else is asked here. */
    if (size < 4 || memcmp(request + size - 4, "\r\n\r\n", 4) != 0) {
        close(connection);
    } else if (write(connection, ANSWER, sizeof ANSWER - 1) != sizeof ANSWER - 1) {
        close(connection);
    }
}

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: floor PORT\n");
        return 2;
    }
    const int on = 1;
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((unsigned short)atoi(arguments[1])),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0) die("socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (const struct sockaddr *)&address, sizeof address) < 0) die("bind");
    if (listen(listener, 1024) < 0) die("listen");
    int epoll = epoll_create1(0);
    if (epoll < 0) die("epoll_create1");
    watch(epoll, listener);
    for (;;) {
        struct epoll_event events[256];
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd != listener) {
                answer(events[i].data.fd);
                continue;
            }
            int connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
            if (connection < 0) continue;
            setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            watch(epoll, connection);
        }
    }
}
