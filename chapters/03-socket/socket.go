// Package socket sends messages between processes through AF_UNIX sockets: from
// many clients to a server, in both directions, and with descriptors beside the
// bytes.
//
// A stream socket (SOCK_STREAM) is a byte stream: the kernel keeps no boundaries
// between writes. So every message travels in a frame:
//
//	4 bytes   the length n of the message, big-endian
//	n bytes   the message
//
// An empty message is a frame with n = 0. The frame is part of the
// specification: the tests read and write raw frames, and so may a program in
// another language. Nothing else is sent: no greeting comes before the first
// frame, and no farewell after the last one. The end of the stream is the end.
//
// A frame may carry a descriptor too (SCM_RIGHTS). It is sent together with the
// first byte of the frame, and no byte of another frame is sent in that call.
//
// A packet socket (SOCK_SEQPACKET) keeps boundaries by itself. There a message
// travels as it is, without a header.
//
// An address is a path in the file system, or an abstract name: one that begins
// with '@'. There the kernel is given a NUL byte in the place of the '@', and the
// name has no file. (A file whose name begins with '@' is reached as "./@name".)
// An address that is empty, that is nothing but "@", or that has a NUL byte in it
// is unix.EINVAL.
//
// One goroutine may send on a connection while another one receives, and neither
// waits for the other. Close may come from a third one.
//
// See unix(7), socket(7), socket(2), bind(2), listen(2), accept(2), connect(2),
// socketpair(2), sendmsg(2), recvmsg(2), shutdown(2), cmsg(3).
package socket

import (
	"context"
	"errors"
	"os"
	"syscall"

	"ipcworkbook/harness/todo"
)

const (
	// HeaderSize is the size of a frame's header in bytes.
	HeaderSize = 4

	// MaxMessage is the largest message in bytes, without its header.
	MaxMessage = 1 << 20

	// MaxPath is the longest path of a socket in bytes: the kernel's address has
	// room for 108, and one is for the NUL at the end (unix(7)).
	MaxPath = 107
)

// ErrTooLarge is the error of a message that is larger than allowed. Find it
// with errors.Is.
var ErrTooLarge = errors.New("message too large")

// ErrEmpty is the error of an empty message on a packet socket.
var ErrEmpty = errors.New("empty message")

// Listener waits for clients at an address.
type Listener struct {
	f *os.File
}

// Conn is one end of a stream connection. Both sides send and receive.
type Conn struct {
	f *os.File
}

// PacketConn is one end of a SOCK_SEQPACKET connection.
type PacketConn struct {
	f *os.File
}

// Peer says who is at the other end of a connection.
type Peer struct {
	PID, UID, GID int
}

// The first functions are given. The tests use them to hand your ends to other
// processes. Change them if your types look different. They return no error: if
// something can go wrong in yours, keep the error, and return it from every method.

// NewListener makes a Listener of a file that is a listening socket, usually one
// that another process has bound and handed over. The Listener owns the file from
// then on, but not the name in the file system: that belongs to who bound it.
func NewListener(f *os.File) *Listener { return &Listener{f: f} }

// NewConn makes a Conn of a file that is a connected stream socket. The Conn owns
// the file from then on. A socket of another family, TCP for instance, will do
// too.
func NewConn(f *os.File) *Conn { return &Conn{f: f} }

// NewPacketConn makes a PacketConn of a file that is a connected SOCK_SEQPACKET
// socket. The PacketConn owns the file from then on.
func NewPacketConn(f *os.File) *PacketConn { return &PacketConn{f: f} }

// SyscallConn gives access to the descriptor. It implements [syscall.Conn].
func (l *Listener) SyscallConn() (syscall.RawConn, error) { return l.f.SyscallConn() }

// SyscallConn gives access to the descriptor. It implements [syscall.Conn].
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.f.SyscallConn() }

// SyscallConn gives access to the descriptor. It implements [syscall.Conn].
func (c *PacketConn) SyscallConn() (syscall.RawConn, error) { return c.f.SyscallConn() }

// Close closes this process's copy of the connection. The other side sees the
// end when the last copy, in whatever process, is closed. A Recv that waits in
// another goroutine returns with an error, and so does a Send. Descriptors that have
// arrived, and that nobody has asked for, are closed too. A second Close closes nothing:
// the number of the descriptor may be somebody else's by then.
func (c *Conn) Close() error { return c.f.Close() }

// Close closes this process's copy of the connection, as [Conn.Close] does.
func (c *PacketConn) Close() error { return c.f.Close() }

// The rest is yours. Every descriptor that you make or receive is close-on-exec, from its
// first moment on: a program that another goroutine starts inherits none.

// Listen makes a stream socket that listens at an address.
//
// At a path it makes the file of the socket. Its permissions are 0600 from its
// first moment on: there is none in which another user could connect. The umask
// is left alone, since it belongs to the whole process.
//
// What is at the path already:
//   - the file of a socket that nobody listens on any more is stale: its server
//     was killed. It is removed, and the new socket takes its place;
//   - a server that lives keeps its address, and Listen returns unix.EADDRINUSE.
//     A server whose backlog is full lives too: a connect(2) that would have to
//     wait is no refusal. A server of another kind than SOCK_STREAM lives too;
//   - anything else is left as it was, and is unix.EADDRINUSE too. So is a symbolic
//     link, wherever it leads to.
//
// When several servers start on one stale path at the same time, exactly one of
// them gets it. The others get unix.EADDRINUSE. When a Listener is closed nothing
// of it is left in the folder. Nor is it when Listen returns an error.
//
// Other errors:
//   - unix.ENAMETOOLONG, with MaxPath in its text, for a path of more than
//     MaxPath bytes. (Or the path is reached in another way, and there is no
//     error. In no case is a part of it taken for the whole.) An abstract name
//     may have as many bytes, with its '@';
//   - unix.ENOENT when the folder is not there, and unix.ENOTDIR when it is none.
//
// At least five clients can connect before the first of them is accepted.
//
// Listen does not wait for another server to end. It may have to wait for a moment
// while another Listen or Close is at work in the same folder. (A lock on the folder can be
// held by everybody who may open the folder: see the lesson's traps.)
func Listen(address string) (*Listener, error) {
	return nil, todo.Err("Listen")
}

// Close stops listening and removes the socket's file, if the file that is there
// is still its own. One that a successor has made at the same path stays. Close removes its
// file also when the process has no descriptor left. It does so, too, when the process has
// changed its working directory after Listen of a relative path. A second Close is an error,
// and does nothing, also while the first one waits.
//
// An Accept that waits in another goroutine returns with an error. Clients that
// wait to be accepted are turned away. Connections that were accepted go on.
func (l *Listener) Close() error {
	return todo.Err("Listener.Close")
}

// Accept waits for the next client and returns the connection to it. When the process
// has no descriptor left for that, the error is unix.EMFILE, and the client stays in the
// backlog for the next Accept. A signal that interrupts the wait is no error (EINTR).
func (l *Listener) Accept() (*Conn, error) {
	return nil, todo.Err("Listener.Accept")
}

// Dial connects to the server at an address. It waits for a server that is not
// there yet: while nothing is at the path, while nobody listens there, and while
// the server's backlog is full. It waits without burning the processor; to look
// again every few milliseconds is good enough.
//
// When ctx ends first, Dial returns an error that wraps ctx's. Errors that do not
// pass by themselves are returned at once: unix.ENAMETOOLONG, as in Listen,
// unix.EACCES, unix.ENOTDIR, unix.EPROTOTYPE (a server of another kind), and all others.
//
// When Dial has returned, ctx has no say in the connection any more.
func Dial(ctx context.Context, address string) (*Conn, error) {
	return nil, todo.Err("Dial")
}

// Pair makes two connected stream sockets (socketpair(2)): one to keep, and one
// to hand to another process. This is the pipe with two directions that Python's
// multiprocessing.Pipe gives.
func Pair() (*Conn, *Conn, error) {
	return nil, nil, todo.Err("Pair")
}

// Send sends one message. It blocks while the socket's buffer is full, and
// returns nil when the whole frame is in the buffer: that the other side has
// received it is not said. The caller may change p afterwards.
//
// Errors:
//   - ErrTooLarge, and nothing is sent, for a message of more than MaxMessage
//     bytes;
//   - unix.EPIPE when the other side is closed, or after CloseWrite. While Send waits
//     for room the kernel says unix.ECONNRESET instead, when the other side was closed
//     and had not read everything.
func (c *Conn) Send(p []byte) error {
	return todo.Err("Conn.Send")
}

// Recv receives one message. It blocks until the whole message is there. The
// slice belongs to the caller: a later Recv does not change it, and to append to it
// changes no other message. A signal that interrupts the wait is no error (EINTR).
//
// A descriptor that came with the message is closed: nobody has asked for it.
//
// Errors:
//   - io.EOF when the stream ends between two messages;
//   - io.ErrUnexpectedEOF when it ends inside a message;
//   - unix.ECONNRESET in the place of either, when the other side was closed or
//     killed and had not read everything that was sent to it;
//   - ErrTooLarge, with MaxMessage in its text, for a header that claims more
//     than MaxMessage bytes. No memory is allocated for the claim. The stream is
//     of no use afterwards.
func (c *Conn) Recv() ([]byte, error) {
	return nil, todo.Err("Conn.Recv")
}

// RecvInto is Recv into memory that the caller brings. A message of up to
// cap(buf) bytes is put there, from the first byte on, and the slice that is
// returned is a part of buf. A longer one gets new memory, as in Recv. So buf may
// be nil, and what its bytes were before does not matter. Of an empty message the
// slice is a part of buf too: who writes buf, err = c.RecvInto(buf) loses no memory.
func (c *Conn) RecvInto(buf []byte) ([]byte, error) {
	return nil, todo.Err("Conn.RecvInto")
}

// CloseWrite ends the stream in one direction (shutdown(2)): the other side gets
// io.EOF when it has received what was sent before, whoever else has a copy of
// this end. In the other direction the stream goes on. After Close it is an error, and
// ends nothing: the number of the descriptor may be somebody else's by then.
func (c *Conn) CloseWrite() error {
	return todo.Err("Conn.CloseWrite")
}

// SendFile is Send, and sends a copy of a file's descriptor with the message
// (SCM_RIGHTS). The receiver's descriptor is another number for the same open
// file: the same position, the same flags. The caller keeps f, and may close it
// as soon as SendFile has returned. A socket of another family than AF_UNIX carries no
// descriptor: that is errors.ErrUnsupported (unix.EOPNOTSUPP is one), and nothing is sent.
func (c *Conn) SendFile(p []byte, f *os.File) error {
	return todo.Err("Conn.SendFile")
}

// RecvFile is Recv, and returns the file whose descriptor came with the message.
// It is nil when there was none. If there were several, all but the first are
// closed. With an error there is no file: what came with a message that is
// refused, or cut, is closed. After Close it is an error too: Close has closed what had come.
//
// A file that came when the process had no descriptor left for it is lost: the error is
// unix.EMFILE then, and its message is lost too. The next one can be received. (Recv asks
// for no file, and there it is no error.)
func (c *Conn) RecvFile() ([]byte, *os.File, error) {
	return nil, nil, todo.Err("Conn.RecvFile")
}

// Peer returns who was at the other end when the connection was made. The kernel
// says so (SO_PEERCRED): the other process has no say in it. After Close it is an error. Of a socket of another
// family than AF_UNIX the kernel knows nobody: that is errors.ErrUnsupported, too.
func (c *Conn) Peer() (Peer, error) {
	return Peer{}, todo.Err("Conn.Peer")
}

// AcceptFrom is Accept for the users in a list: it returns the connection to the
// next client whose uid is in it. Other clients are turned away: their connection
// is closed before a byte of theirs is read, and the next client is waited for.
// An empty list names nobody. Nobody is let in of whom the kernel has not said who it is.
func (l *Listener) AcceptFrom(uids []int) (*Conn, error) {
	return nil, todo.Err("Listener.AcceptFrom")
}

// Serve accepts clients until the Listener is closed. It calls handle for each of
// them in a goroutine of its own, so that no client waits for another one, and
// closes the connection when handle has returned. Of a client that has left it keeps
// nothing. A lack of descriptors (EMFILE) is
// not the end: Serve waits a little, and goes on when a client has left. That lack is the
// only limit to how many clients there are at once. What the package opens once, and
// keeps for all its connections, is no client's.
//
// When Close is called, in whatever goroutine, also in a handle, Serve closes the connections that
// are still open, which wakes those that wait in them. It returns nil when the
// last handle has returned. Any other error ends it in the same way, and is
// returned.
func (l *Listener) Serve(handle func(*Conn)) error {
	return todo.Err("Listener.Serve")
}

// PacketPair makes two connected SOCK_SEQPACKET sockets.
func PacketPair() (*PacketConn, *PacketConn, error) {
	return nil, nil, todo.Err("PacketPair")
}

// Send sends one message in one packet. It blocks while the other side's queue is
// full. A signal that interrupts the wait is no error (EINTR).
//
// Errors:
//   - ErrEmpty for a message without bytes, and nothing is sent: the other side
//     could not tell it from the end;
//   - unix.EMSGSIZE, and nothing is sent, for a message that the socket's send
//     buffer has no room for (SO_SNDBUF, socket(7)), and for one of more than
//     MaxMessage bytes;
//   - unix.EPIPE or unix.ECONNRESET, as for [Conn.Send].
func (c *PacketConn) Send(p []byte) error {
	return todo.Err("PacketConn.Send")
}

// Recv receives one message: a whole packet, and nothing of it is cut. It blocks
// until one is there. The slice belongs to the caller. Descriptors that came with the
// packet are closed.
//
// No step looks at how much memory it takes for that. The benchmarks' gates do: new memory
// for the largest packet, taken for each one, is too slow for them.
//
// Errors:
//   - io.EOF when the other side is closed and no packet is left. (An empty packet
//     of a stranger looks the same. Take it for the end.);
//   - unix.ECONNRESET instead, when it had not read everything;
//   - ErrTooLarge for a packet of more than MaxMessage bytes, which is lost.
func (c *PacketConn) Recv() ([]byte, error) {
	return nil, todo.Err("PacketConn.Recv")
}

// RecvInto is Recv into memory that the caller brings, as [Conn.RecvInto] is. A
// packet of more than cap(buf) bytes gets new memory.
func (c *PacketConn) RecvInto(buf []byte) ([]byte, error) {
	return nil, todo.Err("PacketConn.RecvInto")
}

// RecvFixed receives one message into buf, which is not empty, and returns its length.
// Here len(buf) is the limit: a longer packet is io.ErrShortBuffer, and the length is
// 0. Its bytes are lost then, and the next call returns the next packet. Other errors
// are those of Recv, except ErrTooLarge.
func (c *PacketConn) RecvFixed(buf []byte) (int, error) {
	return 0, todo.Err("PacketConn.RecvFixed")
}
