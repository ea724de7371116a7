package procfs

import (
	"bytes"
	"encoding/binary"
	"syscall"

	"golang.org/x/sys/unix"
)

// What to ask the kernel about UNIX sockets, and how its answers are numbered:
// sock_diag(7), linux/unix_diag.h.
const (
	showName  = 1 << 0
	showFile  = 1 << 1
	showPeer  = 1 << 2
	showQueue = 1 << 3 // the clients of a listening socket
	showBytes = 1 << 4

	attrName  = 0
	attrFile  = 1
	attrPeer  = 2
	attrQueue = 3
	attrBytes = 4

	// States of TCP, also for UNIX sockets.
	stateEstablished = 1
	stateCloseWait   = 8
	stateListening   = 10
)

// unixDiag asks the kernel for all UNIX sockets of our network namespace.
func unixDiag() ([]SocketInfo, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, unixDiagRequest(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	var all []SocketInfo
	b := make([]byte, 64<<10)
	for {
		// The answer is there when sendto returns, so this never has to wait.
		n, _, err := unix.Recvfrom(fd, b, unix.MSG_DONTWAIT)
		if err != nil {
			return nil, err
		}
		messages, err := syscall.ParseNetlinkMessage(b[:n])
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			switch m.Header.Type {
			case unix.NLMSG_DONE:
				return all, nil
			case unix.NLMSG_ERROR:
				return nil, unix.ENOENT // as without the module unix_diag
			}
			if s, ok := parseUnixDiag(m.Data); ok {
				all = append(all, s)
			}
		}
	}
}

// unixDiagRequest is a struct nlmsghdr and a struct unix_diag_req.
func unixDiagRequest() []byte {
	const size = unix.SizeofNlMsghdr + 24
	var b []byte
	order := binary.NativeEndian
	b = order.AppendUint32(b, size)
	b = order.AppendUint16(b, unix.SOCK_DIAG_BY_FAMILY)
	b = order.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	b = append(b, make([]byte, 8)...) // sequence, port
	b = append(b, unix.AF_UNIX, 0, 0, 0)
	b = order.AppendUint32(b, ^uint32(0)) // in any state
	b = order.AppendUint32(b, 0)
	b = order.AppendUint32(b, showName|showFile|showPeer|showQueue|showBytes)
	return append(b, make([]byte, 8)...) // cookie
}

// parseUnixDiag reads a struct unix_diag_msg and the attributes behind it.
func parseUnixDiag(b []byte) (SocketInfo, bool) {
	const size = 16
	if len(b) < size {
		return SocketInfo{}, false
	}
	order := binary.NativeEndian
	s := SocketInfo{
		Family: unix.AF_UNIX, Type: int(b[1]), Listening: b[2] == stateListening,
		Inode: uint64(order.Uint32(b[4:])), Unread: -1, Waiting: -1, Backlog: -1,
	}
	for b = b[size:]; len(b) >= 4; {
		n := int(order.Uint16(b))
		if n < 4 || n > len(b) {
			return SocketInfo{}, false
		}
		s.diagAttr(int(order.Uint16(b[2:])), b[4:n])
		b = b[min((n+3)&^3, len(b)):]
	}
	return s, true
}

func (s *SocketInfo) diagAttr(kind int, b []byte) {
	number := func(i int) uint32 { return binary.NativeEndian.Uint32(b[4*i:]) }
	switch {
	case kind == attrName:
		s.Name = unixName(b)
	case kind == attrFile && len(b) == 8:
		// The kernel's own form of a device number has 20 bits of the minor one.
		s.FileInode, s.FileDev = uint64(number(0)), unix.Mkdev(number(1)>>20, number(1)&(1<<20-1))
	case kind == attrPeer && len(b) == 4:
		s.Connected, s.Peer = true, uint64(number(0))
	case kind == attrQueue:
		for i := range len(b) / 4 {
			s.Pending = append(s.Pending, uint64(number(i)))
		}
	case kind == attrBytes && len(b) == 8 && s.Listening:
		s.Waiting, s.Backlog = int(number(0)), int(number(1))
	case kind == attrBytes && len(b) == 8:
		s.Unread = int(number(0))
	}
}

// unixName writes a sun_path as people do: an abstract name begins with a NUL,
// and "@" is written for it. See unix(7).
func unixName(b []byte) string {
	if len(b) > 1 && b[0] == 0 {
		return "@" + string(bytes.ReplaceAll(b[1:], []byte{0}, []byte("@")))
	}
	path, _, _ := bytes.Cut(b, []byte{0})
	return string(path)
}
