package chapter

import (
	"os"
	"os/exec"
	"sync"
	"time"
)

// Hour sleeps instead of waiting for what comes.
func Hour() { time.Sleep(time.Hour) }

func Forever() { select {} }

// Group waits for a goroutine that was never started.
func Group() {
	var wg sync.WaitGroup
	wg.Add(1)
	wg.Wait()
}

// Echo wants the output of a shell that leaves a process behind.
func Echo() {
	_, err := exec.Command("sh", "-c", "sleep 1000 & echo hi").Output()
	check(0, err)
}

// Pump writes in one goroutine and waits for it in another.
func Pump(f *os.File, n int) {
	done := make(chan error)
	go func() {
		_, err := f.Write(make([]byte, n))
		done <- err
	}()
	<-done
}
