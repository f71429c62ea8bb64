// Does nothing, but has Go's network package in it, which with cgo makes it dynamically linked.
package main

import _ "net"

func main() {}
