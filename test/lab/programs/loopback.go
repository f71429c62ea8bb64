// Talks to itself by TCP and tells what protocol it was, as loopback.c does.
package main

import (
	"fmt"
	"io"
	"net"
	"syscall"
)

const soProtocol = 38 // SO_PROTOCOL

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	connection, err := net.Dial("tcp", listener.Addr().String())
	must(err)
	accepted, err := listener.Accept()
	must(err)
	_, err = accepted.Write([]byte("hello"))
	must(err)
	must(accepted.Close())
	text, err := io.ReadAll(connection)
	must(err)
	fmt.Printf("listener %d, connection %d: %s\n", protocolOf(listener), protocolOf(connection), text)
}

func protocolOf(socket any) (protocol int) {
	raw, err := socket.(syscall.Conn).SyscallConn()
	must(err)
	must(raw.Control(func(fd uintptr) {
		protocol, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, soProtocol)
	}))
	must(err)
	return protocol
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
