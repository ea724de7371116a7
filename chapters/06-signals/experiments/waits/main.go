// The program of an experiment: it does nothing at all about signals, and waits. With the
// argument "self" it sends itself SIGTERM first.
package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	fmt.Println("ready")
	if len(os.Args) > 1 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
	}
	_, _ = os.Stdin.Read(make([]byte, 1))
}
