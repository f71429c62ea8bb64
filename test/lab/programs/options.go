// Reads what a server sends, by a socket with options as Go programs set and read them.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	dialer := net.Dialer{Control: func(network, address string, socket syscall.RawConn) error {
		var err error
		socket.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_TTL, 60)
		})
		return err
	}}
	connection, err := dialer.Dial("tcp4", os.Args[1])
	check(err)
	socket, err := connection.(*net.TCPConn).SyscallConn()
	check(err)
	socket.Control(func(fd uintptr) {
		ttl, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_TTL)
		check(err)
		discover, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_MTU_DISCOVER)
		check(err)
		fmt.Println("ttl", ttl, "discover", discover)
	})
	text, err := io.ReadAll(connection)
	check(err)
	fmt.Print(string(text))
}
