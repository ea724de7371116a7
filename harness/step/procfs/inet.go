package procfs

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// inetSockets reads the TCP and UDP sockets of a process's network namespace.
// See proc_pid_net(5).
func inetSockets(pid int) []SocketInfo {
	var all []SocketInfo
	for _, table := range []struct {
		name         string
		family, kind int
	}{
		{"tcp", unix.AF_INET, unix.SOCK_STREAM}, {"tcp6", unix.AF_INET6, unix.SOCK_STREAM},
		{"udp", unix.AF_INET, unix.SOCK_DGRAM}, {"udp6", unix.AF_INET6, unix.SOCK_DGRAM},
	} {
		text, _ := os.ReadFile(procPath(pid, "net", table.name))
		for line := range strings.Lines(string(text)) {
			if s, ok := parseInet(line); ok {
				s.Family, s.Type = table.family, table.kind
				all = append(all, s)
			}
		}
	}
	joinInet(all)
	return all
}

// parseInet reads a line such as
//
//	0: 0100007F:1F90 00000000:0000 0A 00000000:00000002 00:00000000 00000000 0 0 5123 …
//
// that is: own and other address, state, bytes (or clients) that wait, inode.
func parseInet(line string) (SocketInfo, bool) {
	f := strings.Fields(line)
	if len(f) < 10 {
		return SocketInfo{}, false
	}
	local, ok1 := inetAddr(f[1])
	remote, ok2 := inetAddr(f[2])
	state, err1 := strconv.ParseUint(f[3], 16, 8)
	_, queue, _ := strings.Cut(f[4], ":")
	waiting, err2 := strconv.ParseUint(queue, 16, 32)
	inode, err3 := strconv.ParseUint(f[9], 10, 64)
	if !ok1 || !ok2 || err1 != nil || err2 != nil || err3 != nil {
		return SocketInfo{}, false
	}
	s := SocketInfo{Inode: inode, Name: local.String(), state: int(state), Unread: int(waiting), Waiting: -1, Backlog: -1}
	if state == stateListening {
		s.Listening, s.Waiting, s.Unread = true, int(waiting), -1
	}
	if remote.Port() != 0 {
		s.Connected, s.Remote = true, remote.String()
	}
	return s, true
}

// inetAddr reads "0100007F:1F90": words of the address as this machine has them
// in memory, and the port.
func inetAddr(s string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(host)
	if err != nil {
		return netip.AddrPort{}, false
	}
	for i := 0; i+4 <= len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	addr, ok := netip.AddrFromSlice(b)
	n, err := strconv.ParseUint(port, 16, 16)
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), ok && err == nil
}

// joinInet finds the two ends of each connection inside of this machine, and
// the connections that nobody has accepted yet.
func joinInet(all []SocketInfo) {
	type ends struct {
		kind          int
		local, remote string
	}
	places := map[ends]int{}
	for i, s := range all {
		places[ends{s.Type, s.Name, s.Remote}] = i
	}
	for i := range all {
		s := &all[i]
		other, ok := places[ends{s.Type, s.Remote, s.Name}]
		if !s.Connected || !ok {
			continue
		}
		s.Peer = all[other].Inode
		// An end without an inode was never accepted, or is closed already.
		open := all[other].state == stateEstablished || all[other].state == stateCloseWait
		if l := listenerAt(all, s.Remote); s.Peer == 0 && open && l != nil {
			l.Pending = append(l.Pending, s.Inode)
		}
	}
}

// ListenerAt returns the socket of the process's network namespace that listens at
// the address or, with the same port, at all of them; or nil.
func (p *Process) ListenerAt(addr string) *SocketInfo { return listenerAt(p.Sockets, addr) }

// listenerAt returns the socket that listens at the address or, with the same
// port, at all of them; or nil.
func listenerAt(all []SocketInfo, addr string) *SocketInfo {
	want, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil
	}
	for i := range all {
		at, err := netip.ParseAddrPort(all[i].Name)
		if err == nil && all[i].Listening && at.Port() == want.Port() &&
			(at.Addr() == want.Addr() || at.Addr().IsUnspecified()) {
			return &all[i]
		}
	}
	return nil
}
