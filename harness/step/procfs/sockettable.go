package procfs

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// SocketInfo is what the kernel says of one socket. Whose it is is another
// question: that is told by the descriptors that lead to its inode.
type SocketInfo struct {
	Family int // AF_UNIX, AF_INET or AF_INET6
	Type   int // SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET

	// Inode is 0 for a connection that nobody has accepted yet, and for one that
	// the program has closed.
	Inode uint64

	Listening bool
	state     int // of inet only, as TCP numbers them

	// Name is its address: a path, "@name" for an abstract one,
	// "127.0.0.1:80"; empty if it has none. FileDev and FileInode are those of
	// the file that bind(2) made; both are 0 if there is none, or if they are
	// not known. The kernel tells the lower 32 bits of the inode.
	Name               string
	FileDev, FileInode uint64

	// Place says what is at that path now. It is known for the process's own
	// sockets, if they listen or take datagrams.
	Place Place

	// Successor is the inode of the socket that has the path now, 0 if none has.
	Successor uint64

	// Connected says that there is another end: Peer is its inode, and Remote
	// its address if it is no UNIX socket.
	Connected bool
	Peer      uint64
	Remote    string

	// Unread are the bytes that wait to be read from it; -1 if that is not known.
	Unread int

	// Pending are the inodes of the clients that wait to be accepted, Waiting is
	// their number, and Backlog the limit; both are -1 if not known.
	Pending          []uint64
	Waiting, Backlog int
}

// readSockets reads the sockets of a process's network namespace, if the
// process has any. partly says that the kernel told no ends and no queues of
// UNIX sockets.
func readSockets(pid int, files []File) (all []SocketInfo, partly bool) {
	missing := func() bool {
		return slices.ContainsFunc(files, func(f File) bool {
			return f.Kind == Socket && socketWith(all, f.Inode) == nil
		})
	}
	if !missing() {
		return nil, false
	}
	all, err := unixSockets(pid)
	if err != nil {
		all, partly = procUnix(pid), true
	}
	if missing() {
		all = append(all, inetSockets(pid)...)
	}
	for i := range all {
		s := &all[i]
		own := slices.ContainsFunc(files, func(f File) bool { return f.Kind == Socket && f.Inode == s.Inode })
		if own && s.receives() {
			s.Place, s.Successor = placeOf(pid, s, all)
		}
	}
	return all, partly
}

// unixSockets is a variable for the tests: a kernel can lack unix_diag.
var unixSockets = func(pid int) ([]SocketInfo, error) {
	// sock_diag answers for the namespace of who asks.
	theirs, err := os.Readlink(procPath(pid, "ns", "net"))
	if err != nil {
		return nil, err
	}
	if ours, err := os.Readlink(root + "/thread-self/ns/net"); err != nil || ours != theirs {
		return nil, unix.ENODATA
	}
	return unixDiag()
}

// IsUnix reports whether it is no socket of the Internet.
func (s *SocketInfo) IsUnix() bool { return s.Family == unix.AF_UNIX }

func socketWith(all []SocketInfo, inode uint64) *SocketInfo {
	i := slices.IndexFunc(all, func(s SocketInfo) bool { return inode != 0 && s.Inode == inode })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// Socket returns what is known of a process's socket, or nil.
func (p *Process) Socket(f *File) *SocketInfo {
	if f == nil || f.Kind != Socket {
		return nil
	}
	return socketWith(p.Sockets, f.Inode)
}

// OtherEnd returns what is known of the other end of a connection, or nil.
func (p *Process) OtherEnd(s *SocketInfo) *SocketInfo {
	if !s.Connected {
		return nil
	}
	return socketWith(p.Sockets, s.Peer)
}

// QueuedAt returns the listening socket that has not given the connection to
// anybody yet, or nil.
func (p *Process) QueuedAt(s *SocketInfo) *SocketInfo {
	for i := range p.Sockets {
		if l := &p.Sockets[i]; l.Listening && slices.Contains(l.Pending, s.Inode) {
			return l
		}
	}
	return nil
}
