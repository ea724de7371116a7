package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	socket "ipcworkbook/chapters/03-socket"
)

// askLo shows whether messages go through lo, the loopback interface. It looks at
// the kernel's count of its bytes, in a network namespace of its own if the kernel
// gives one: there nobody else uses lo, and it is down at first.
func askLo() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), role+"=lo")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		// To take lo up one has to be root in there.
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if err := cmd.Start(); err != nil {
		fmt.Printf("There is no network namespace here (%v): others may use lo, too.\n", err)
		return throughBoth()
	}
	return cmd.Wait()
}

func inNamespace() error {
	// In a new namespace there is no interface but lo, and it is down.
	fmt.Println("While lo is down:")
	for _, way := range ways {
		_, err := through(way.connected)
		var call *os.SyscallError
		switch {
		case err == nil:
			fmt.Printf("  %s it arrives\n", way.name)
		case errors.As(err, &call):
			fmt.Printf("  %s %v\n", way.name, call)
		default:
			return err
		}
	}
	if err := takeLoUp(); err != nil {
		return fmt.Errorf("taking lo up: %w", err)
	}
	return throughBoth()
}

var ways = []struct {
	name      string
	connected func() (ours, theirs *socket.Conn, err error)
}{
	{"8 MiB through AF_UNIX:         ", socketPair},
	{"8 MiB through TCP on 127.0.0.1:", tcpPair},
}

func throughBoth() error {
	fmt.Println("While lo is up:")
	for _, way := range ways {
		carried, err := through(way.connected)
		if err != nil {
			return err
		}
		// TCP needs more bytes than were sent, for its headers. A few may be others'.
		what := "a part of it"
		switch sent := messages * messageSize; {
		case carried >= sent:
			what = "all of it"
		case carried < sent/8:
			what = "nothing"
		}
		fmt.Printf("  %s lo carries %s\n", way.name, what)
	}
	return nil
}

// through sends 8 MiB from one end to the other and returns how many bytes lo has
// carried meanwhile.
func through(connected func() (ours, theirs *socket.Conn, err error)) (carried int, err error) {
	before, err := bytesOfLo()
	if err != nil {
		return 0, err
	}
	ours, theirs, err := connected()
	if err != nil {
		return 0, err
	}
	defer ours.Close()
	defer theirs.Close()
	sent := make(chan error, 1)
	go func() { sent <- sendAll(ours) }()
	got, err := receiveAll(theirs)
	if err != nil {
		return 0, err
	}
	if !got.right {
		return 0, errors.New("what arrived is not what was sent")
	}
	after, err := bytesOfLo()
	return after - before, errors.Join(err, <-sent)
}

// bytesOfLo is how many bytes lo has received since it was made. See proc_pid_net(5).
func bytesOfLo() (n int, err error) {
	text, err := os.ReadFile("/proc/self/net/dev")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if name, counters, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "lo" {
			_, err := fmt.Sscan(counters, &n)
			return n, err
		}
	}
	return 0, errors.New("there is no interface lo")
}

// takeLoUp does what "ip link set lo up" does. See netdevice(7).
func takeLoUp() error {
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}
