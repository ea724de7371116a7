package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// sharedFD is where the second process finds the shared memory.
const sharedFD = 3

// partner is the second process, as the first one sees it.
type partner struct {
	cmd    *exec.Cmd
	memory []byte // what both have mapped
	in     io.WriteCloser
	out    io.Reader
}

// start makes size bytes of shared memory and starts the second process with
// them. It returns when that one is ready.
func start(size int, benchmark string, r run) (*partner, error) {
	fd, err := unix.MemfdCreate("limit", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	file := os.NewFile(uintptr(fd), "shared memory")
	defer file.Close() // the mapping stays
	if err := file.Truncate(int64(size)); err != nil {
		return nil, err
	}
	p := &partner{}
	if p.memory, err = mapShared(fd, size); err != nil {
		return nil, err
	}
	p.cmd = exec.Command("/proc/self/exe", secondWord, benchmark, fmt.Sprint(r.size), fmt.Sprint(r.count))
	p.cmd.Stderr = os.Stderr
	p.cmd.ExtraFiles = []*os.File{file}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if p.out, err = p.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the second process: %w", err)
	}
	return p, hear(p.out)
}

// wait returns when the second process has ended by itself.
func (p *partner) wait() error {
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("the second process: %w", err)
	}
	return nil
}

// mapShared maps shared memory, and has the kernel provide all of it now: what a
// page costs when it is touched for the first time is start-up.
func mapShared(fd, size int) ([]byte, error) {
	memory, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("mmap of %d bytes: %w", size, err)
	}
	return memory, nil
}

// The two processes talk over the standard input and output of the second one
// about what is not measured: "ready", and whose turn it is. A byte is enough.
func say(w io.Writer) error {
	_, err := w.Write([]byte{0})
	return err
}

func hear(r io.Reader) error {
	if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
		return fmt.Errorf("hearing from the other process: %w", err)
	}
	return nil
}
