package procfs

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Address is where a thread connects or sends to.
type Address struct {
	Name string // as SocketInfo.Name

	// Dev and Inode are those of the file at that path, 0 if there is none.
	Dev, Inode uint64
}

// addressing reads the address that a thread gave to connect(2), sendto(2) or
// sendmsg(2) from its memory. It is nil for any other thread, if none was given,
// and if the memory may not be read.
func addressing(pid int, t Thread) *Address {
	var at, size uint64
	switch t.Syscall {
	case "connect":
		at, size = t.Args[1], t.Args[2]
	case "sendto":
		at, size = t.Args[4], t.Args[5]
	case "sendmsg": // struct msghdr begins with them
		var b [12]byte
		if readMemory(pid, t.Args[1], b[:]) != nil {
			return nil
		}
		at, size = binary.NativeEndian.Uint64(b[:]), uint64(binary.NativeEndian.Uint32(b[8:]))
	}
	if at == 0 {
		return nil
	}
	// The length is an int in C: the upper half of the register means nothing.
	b := make([]byte, min(uint32(size), unix.SizeofSockaddrAny))
	if len(b) < 2 || readMemory(pid, at, b) != nil {
		return nil
	}
	a := &Address{}
	switch family := binary.NativeEndian.Uint16(b); {
	case family == unix.AF_UNIX:
		a.Name = unixName(b[2:])
		if a.Name != "" && a.Name[0] != '@' {
			a.Dev, a.Inode, _ = fileAt(pid, a.Name)
		}
	case family == unix.AF_INET && len(b) >= 8:
		a.Name = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:])).String()
	case family == unix.AF_INET6 && len(b) >= 24:
		a.Name = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])).Unmap(), binary.BigEndian.Uint16(b[2:])).String()
	}
	if a.Name == "" {
		return nil
	}
	return a
}

// SocketAt returns the socket that gets what is sent to the address, or nil.
func (p *Process) SocketAt(a *Address) *SocketInfo {
	for i := range p.Sockets {
		s := &p.Sockets[i]
		abstract := s.Name != "" && s.Name[0] == '@' && s.Name == a.Name
		if s.receives() && (abstract || s.hasFile(a.Dev, a.Inode)) {
			return s
		}
	}
	return listenerAt(p.Sockets, a.Name)
}
