/* Preloaded into an Orthanc older than HttpBindAddresses: it listens on 127.0.0.1 alone. */
#include <netinet/in.h>
#include <sys/syscall.h>
#include <unistd.h>

int bind(int socket, const struct sockaddr *address, socklen_t length)
{
    struct sockaddr_in loopback;

    if (address->sa_family == AF_INET && length == sizeof loopback) {
        loopback = *(const struct sockaddr_in *)address;
        loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address = (const struct sockaddr *)&loopback;
    }
    return syscall(SYS_bind, socket, address, length);
}
