package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	pool "ipcworkbook/chapters/08-pool"
)

var sleeps = pool.NewTask("sleeps", func(d time.Duration) (bool, error) { time.Sleep(d); return true, nil })

var square = pool.NewTask("square", func(n int) (int, error) { return n * n, nil })

// queue submits so many tasks while the only worker is busy, and tells what they need.
func queue(many int) (status int, err error) {
	begin := time.Now()
	p, err := pool.New(context.Background(), pool.Options{Workers: 1, Command: []string{"/proc/self/exe", "work"}})
	if err != nil {
		return 1, fmt.Errorf("starting a worker: %w", err)
	}
	fmt.Printf("The pool is there after %d ms.\n", time.Since(begin).Milliseconds())
	if _, err := pool.Submit(p, sleeps, time.Hour); err != nil {
		return 1, fmt.Errorf("submitting: %w", err)
	}
	futures := make([]*pool.Future[int], many)
	memory, goroutines, files := used()
	for n := range futures {
		if futures[n], err = pool.Submit(p, square, n); err != nil {
			return 1, fmt.Errorf("submitting task %d: %w", n, err)
		}
	}
	moreMemory, moreGoroutines, moreFiles := used()
	fmt.Printf("%d tasks wait. Each needs %d bytes of memory. For all of them there are %d goroutines and %d descriptors more.\n",
		many, (moreMemory-memory)/many, moreGoroutines-goroutines, moreFiles-files)
	runtime.KeepAlive(futures)
	over, end := context.WithCancel(context.Background())
	end()
	_ = p.Shutdown(over, true) // it kills the worker, which sleeps
	return 0, nil
}

// used is the memory in use, how many goroutines there are, and how many descriptors.
func used() (memory, goroutines, files int) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	open, _ := os.ReadDir("/proc/self/fd")
	return int(m.HeapAlloc + m.StackInuse), runtime.NumGoroutine(), len(open)
}
