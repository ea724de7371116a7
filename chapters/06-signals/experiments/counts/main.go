// The program of an experiment: a process sends itself many signals, and counts what os/signal
// hands over. How many that are is another number each time.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	const sent = 10_000
	for _, one := range []struct {
		name string
		sig  syscall.Signal
	}{{"SIGUSR1", syscall.SIGUSR1}, {"SIGRTMIN+2", 36}} {
		taken := make(chan os.Signal, 2*sent)
		signal.Notify(taken, one.sig)
		for range sent {
			if err := syscall.Kill(os.Getpid(), one.sig); err != nil {
				fmt.Fprintln(os.Stderr, "kill:", err)
				os.Exit(1)
			}
		}
		time.Sleep(100 * time.Millisecond) // for what is on its way
		signal.Stop(taken)
		fmt.Printf("%s: sent %d, fewer came: %v\n", one.name, sent, len(taken) < sent)
	}
}
