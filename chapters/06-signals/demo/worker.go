package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	signals "ipcworkbook/chapters/06-signals"
)

// work does one piece of work after the other, until SIGTERM: the one that it has begun it
// finishes.
func work(name string, job time.Duration) error {
	drain, err := signals.NewDrain(grace, unix.SIGTERM)
	if err != nil {
		return err
	}
	news, err := signals.Listen(unix.SIGHUP)
	if err != nil {
		return err
	}
	go func() {
		for {
			if _, err := news.Wait(context.Background()); err != nil {
				return
			}
			fmt.Printf("Worker %s reads its settings again.\n", name)
		}
	}()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1) // the supervisor is gone
	}()
	fmt.Printf("Worker %s works: process %d.\n", name, os.Getpid())
	jobs := 0
	for ; ; jobs++ {
		end, err := drain.Begin()
		if err != nil {
			break
		}
		time.Sleep(job)
		end()
	}
	if err := drain.Wait(); err != nil {
		return err
	}
	fmt.Printf("Worker %s got %s, has finished %d jobs, and ends.\n", name, signals.Name(drain.Signal()), jobs)
	return news.Close()
}
