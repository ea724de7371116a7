// The program of an experiment: it does nothing at all about signals, and waits. With the
// argument "self" it sends itself SIGTERM, and waits for what that does.
package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	fmt.Println("ready")
	from := os.Stdin
	if len(os.Args) > 1 {
		// Nothing comes out of this pipe. A thread takes its time to be interrupted, and meanwhile
		// another one must not come to the end of the program.
		r, w, err := os.Pipe()
		if err != nil {
			panic(err)
		}
		defer w.Close()
		from = r
		_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
	}
	_, _ = from.Read(make([]byte, 1))
}
