package lab

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

// Mechanism is a means of communication, as the kernel shows it.
type Mechanism struct {
	name string // with its article
	page string // the man page
}

var (
	Pipe          = Mechanism{"a pipe", "pipe(2)"}
	FIFO          = Mechanism{"a FIFO", "fifo(7)"}
	StreamSocket  = Mechanism{"an AF_UNIX stream socket", "unix(7)"}
	PacketSocket  = Mechanism{"an AF_UNIX seqpacket socket", "unix(7)"}
	TCPSocket     = Mechanism{"a TCP socket", "tcp(7)"}
	MessageQueue  = Mechanism{"a POSIX message queue", "mq_overview(7)"}
	SysVQueue     = Mechanism{"a System V message queue", "msgop(2)"}
	SharedMapping = Mechanism{"a shared mapping", "mmap(2)"}
	RegularFile   = Mechanism{"a regular file", "open(2)"}
	Memfd         = Mechanism{"a memfd", "memfd_create(2)"}
	Pidfd         = Mechanism{"a pidfd", "pidfd_open(2)"}
	Signalfd      = Mechanism{"a signalfd", "signalfd(2)"}
	Eventfd       = Mechanism{"an eventfd", "eventfd(2)"}
)

func (m Mechanism) String() string { return m.name }

// object is one thing that processes can share, and how a process has it.
type object struct {
	Mechanism
	id    string // the same for who shares it
	shown string // "fd 3 is pipe:[4711], a pipe"
}

// descriptor tells what a descriptor of a process is.
func descriptor(pid int, f procfs.File) object {
	o := object{id: fmt.Sprintf("%x:%d", f.Dev, f.Inode), Mechanism: Mechanism{name: "something else"}}
	switch f.Kind {
	case procfs.Pipe:
		o.Mechanism = Pipe
	case procfs.FIFO:
		o.Mechanism = FIFO
	case procfs.Memfd:
		o.Mechanism = Memfd
	case procfs.Pidfd:
		o.Mechanism, o.id = Pidfd, fmt.Sprint(f.Process)
	case procfs.Signalfd:
		// All anonymous inodes are one: this tells nothing about sharing.
		o.Mechanism, o.id = Signalfd, fmt.Sprintf("%d/%d", pid, f.FD)
	case procfs.Eventfd:
		o.Mechanism = Eventfd
		if o.id = eventfdID(pid, f.FD); o.id == "" {
			o.id = fmt.Sprintf("%d/%d", pid, f.FD)
		}
	case procfs.Socket:
		o.Mechanism = socketKind(pid, f.Inode)
	case procfs.MQueue:
		o.Mechanism = MessageQueue
	default:
		o.Mechanism = byFileSystem(pid, f, o.Mechanism)
	}
	o.shown = fmt.Sprintf("%s, %s", f.Target, o.Mechanism)
	return o
}

// mqueueMagic is MQUEUE_MAGIC of the kernel's ipc/mqueue.c. A descriptor of a
// POSIX queue looks like one of a regular file in the root folder otherwise.
const mqueueMagic = 0x19800202

func byFileSystem(pid int, f procfs.File, other Mechanism) Mechanism {
	var fs unix.Statfs_t
	if unix.Statfs(fmt.Sprintf("/proc/%d/fd/%d", pid, f.FD), &fs) == nil && fs.Type == mqueueMagic {
		return MessageQueue
	}
	if f.Kind == procfs.Regular {
		return RegularFile
	}
	return other
}

// eventfdID is the number that the kernel gives each eventfd, in its fdinfo.
func eventfdID(pid, fd int) string {
	info, _ := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", pid, fd))
	for line := range strings.Lines(string(info)) {
		if id, ok := strings.CutPrefix(line, "eventfd-id:"); ok {
			return strings.TrimSpace(id)
		}
	}
	return ""
}

// sockets are the tables of a network namespace: the columns of a socket's inode
// and of its type, where the file lists more than one (proc_pid_net(5)).
var sockets = []struct {
	file        string
	inode, kind int
	is          map[string]Mechanism
}{
	{"unix", 6, 4, map[string]Mechanism{
		"0001": StreamSocket, "0002": {name: "an AF_UNIX datagram socket"}, "0005": PacketSocket}},
	{"tcp", 9, 0, nil},
	{"tcp6", 9, 0, nil},
}

func socketKind(pid int, inode uint64) Mechanism {
	want := strconv.FormatUint(inode, 10)
	for _, table := range sockets {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table.file))
		for line := range strings.Lines(string(text)) {
			columns := strings.Fields(line)
			if len(columns) <= table.inode || columns[table.inode] != want {
				continue
			}
			if table.is == nil {
				return TCPSocket
			}
			if m, ok := table.is[columns[table.kind]]; ok {
				return m
			}
		}
	}
	return Mechanism{name: "a socket of another kind"}
}
