package explain

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

// onSocket reports whether the wait is about a socket.
func (w *wait) onSocket() bool {
	return w.file != nil && w.file.Kind == procfs.Socket && (w.how == inCall || w.how == inPoller)
}

// onStream reports whether it is about a socket that has an end of file.
func (w *wait) onStream() bool {
	s := w.p.Socket(w.file)
	return w.onSocket() && s != nil && s.Type != unix.SOCK_DGRAM
}

// explainSocket says who is at the other end of a socket.
func (c *Case) explainSocket(w *wait) (lines, advice []string) {
	s := w.p.Socket(w.file)
	switch {
	case w.call == "connect":
		return c.explainConnect(w, s)
	case s == nil:
		return []string{w.fileLine(), "What it is connected to is not known."}, nil
	case s.Listening:
		return c.explainAccept(w, s)
	case s.Type == unix.SOCK_DGRAM && w.mode == 'w':
		return c.explainSendTo(w, s)
	case s.Type == unix.SOCK_DGRAM:
		return c.explainRecvFrom(w, s)
	case s.IsUnix() && w.p.NoPeers:
		return []string{
			w.socketLine(s) + ".",
			"The process with its other end is not known: sock_diag(7) does not answer for it.",
		}, recvAdvice(w.mode)
	}
	return c.explainStream(w, s)
}

// socketLine says which socket it is: "fd 3 is socket:[12], connected to
// /tmp/a.sock". The caller ends the sentence.
func (w *wait) socketLine(s *procfs.SocketInfo) string {
	line := "fd " + strconv.Itoa(w.fd) + " is " + w.file.Target
	switch name := remoteName(w.p, s); {
	case name != "":
		return line + ", connected to " + name
	case s.Type == unix.SOCK_DGRAM && s.Name != "":
		return line + ", a datagram socket at " + s.Name
	case s.Name != "":
		return line + ", accepted at " + s.Name
	case s.Type == unix.SOCK_DGRAM && !s.Connected:
		return line + ", a datagram socket"
	case s.Connected:
		return line + ", one end of a socket pair"
	}
	return line
}

// remoteName is the address of the other end; empty if it has none.
func remoteName(p *procfs.Process, s *procfs.SocketInfo) string {
	if s.Remote != "" {
		return s.Remote
	}
	if other := p.OtherEnd(s); other != nil {
		return other.Name
	}
	if listener := p.QueuedAt(s); listener != nil {
		return listener.Name
	}
	return ""
}

// endOf is a file that stands for the socket with that inode, so that its
// holders can be looked for.
func (w *wait) endOf(inode uint64) procfs.File {
	return procfs.File{Kind: procfs.Socket, Target: fmt.Sprintf("socket:[%d]", inode), Dev: w.file.Dev, Inode: inode}
}

// farSocket is the socket whose holder could end the wait: the other end, or the
// listening one where nobody has accepted the connection. It is 0 if there is
// none, or if it is not known.
func (w *wait) farSocket() uint64 {
	s := w.p.Socket(w.file)
	var far *procfs.SocketInfo
	switch {
	case w.call == "connect" && w.t != nil && w.t.To != nil:
		far = w.p.SocketAt(w.t.To)
	case s == nil || !s.Connected:
	case w.p.QueuedAt(s) != nil:
		far = w.p.QueuedAt(s)
	default:
		return s.Peer
	}
	if far == nil {
		return 0
	}
	return far.Inode
}

// socketHolders finds who has the socket with that inode.
func (c *Case) socketHolders(w *wait, inode uint64) (found []holder, unread int) {
	if inode == 0 {
		return nil, 0
	}
	return c.holders(w.endOf(inode), func(procfs.File) bool { return true })
}

// restsOnSocket completes the wait of a process that watches this socket only.
// Whether it wants to read or to write is known where one of them would not wait.
func (w wait) restsOnSocket(f *procfs.File) wait {
	s := w.p.Socket(f)
	if s == nil || f.FD == w.p.Control {
		return w
	}
	w.how, w.call = inPoller, "read or write"
	other := w.p.OtherEnd(s)
	switch {
	case s.Listening:
		w.call, w.mode = "accept", 'r'
	case s.Type == unix.SOCK_DGRAM && !s.Connected, other != nil && other.Unread == 0:
		w.call, w.mode = "read", 'r'
	case s.Unread > 0:
		w.call, w.mode = "write", 'w'
	}
	w.setFile(f)
	return w
}
