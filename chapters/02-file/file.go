// Package file sends messages from one process to another through a file. One
// process appends records, and others follow it.
//
// A file is a stream of bytes that stay. The records are frames:
//
//	4 bytes   the length n of the message, big-endian
//	n bytes   the message
//
// An empty message is a frame with n = 0. The last frame of a file is the end
// mark: the four bytes of EndMark in the place of a length, and nothing behind
// them. No message has that length, so no message can be taken for the end.
//
// A Writer has the file locked as long as it lives: an open file description
// lock (fcntl(2), F_OFD_SETLK) of type F_WRLCK on the whole file, from its start
// to infinity. The kernel takes the lock away when the writer ends, however it
// ends. So whoever wants to know whether a writer lives asks for the lock.
//
// Frame, end mark and lock are the specification: the tests write and read raw
// frames, and so may a program in another language.
//
// Three words that are not the same. A record is written when write(2) has
// returned: its bytes are in the page cache, the kernel's memory. It is visible
// to every process from then on. It is durable when the disk has it too: after
// fsync(2) or fdatasync(2).
//
// Each end is used by one goroutine at a time. Two ends may be used at once, also two
// Writers or two Readers of one process.
//
// See open(2), write(2), pread(2), fcntl(2), inotify(7), fdatasync(2), ftruncate(2).
package file

import (
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

	// EndMark stands in the place of a length and ends the file.
	EndMark = 1<<32 - 1
)

// The errors of this package. Find them with errors.Is.
var (
	// ErrTooLarge is the error of a message that is larger than allowed.
	ErrTooLarge = errors.New("message too large")

	// ErrLocked says that another Writer has the file.
	ErrLocked = errors.New("another writer has the file")

	// ErrEnded says that a file has its end mark: no Writer adds to it any more.
	ErrEnded = errors.New("the file has ended")

	// ErrTruncated says that bytes which a Reader has seen are gone.
	ErrTruncated = errors.New("the file was truncated")

	// ErrReplaced says that a Reader's file is no longer at its path: it was
	// renamed or removed, and another one may stand there.
	ErrReplaced = errors.New("the file was replaced")
)

// Durability says when records reach the disk for certain.
type Durability int

const (
	// Never leaves it to the kernel, which writes back what is dirty after some
	// seconds. Records outlive the death of the process, but no power failure.
	Never Durability = iota

	// AtClose makes the whole file durable in Close.
	AtClose

	// EachRecord makes each record durable before Send returns.
	EachRecord
)

// Reader follows a file from its first record on.
type Reader struct {
	f *os.File
}

// Writer appends to a file.
type Writer struct {
	f *os.File
}

// The first functions are given. Change them if your Reader and Writer look
// different.

// SyscallConn gives access to the file's descriptor. It implements [syscall.Conn].
func (r *Reader) SyscallConn() (syscall.RawConn, error) { return r.f.SyscallConn() }

// SyscallConn gives access to the file's descriptor. It implements [syscall.Conn].
func (w *Writer) SyscallConn() (syscall.RawConn, error) { return w.f.SyscallConn() }

// The rest is yours.

// OpenWriter opens the file at path to append to it, and locks it. It makes the
// file, with permissions 0600, when nothing is there yet; one that is there keeps its
// own. It never waits.
//
// An earlier writer may have died inside a record. OpenWriter cuts off such a
// torn tail (ftruncate(2)): the file ends behind its last whole record then, and
// what is appended is whole too. It does so when it has the lock, not before: the
// tail may be the record that a living writer is writing. (Somebody else's file of
// fewer than four bytes looks like a torn tail, and is emptied.)
//
// Except with Never the name of a new file is durable too: OpenWriter syncs the
// folder (fsync(2)) when the file is in it. Close need not do it again. When the disk refuses that, it is an
// error.
//
// Errors, after which no descriptor stays open, and the file is as it was (a new one may
// stay, and be empty):
//   - ErrLocked when another writer has the file, in this process or in another
//     one. A Reader is no hindrance;
//   - ErrEnded when the file has its end mark;
//   - ErrTooLarge, with MaxMessage in its text, when the file holds a length that
//     no record has. It is then no file of records: nothing is cut off;
//   - an error that names the path when something else than a regular file
//     stands there, or for lack of permission (fs.ErrPermission);
//   - another error of the kernel, as it is: the lock's (unix.ENOLCK) is no ErrLocked, and
//     what the disk cannot read (unix.EIO) is no torn tail.
func OpenWriter(path string, d Durability) (*Writer, error) {
	return nil, todo.Err("OpenWriter")
}

// Send appends one record: at the end of the file, wherever that is by then (O_APPEND).
// When it returns nil every other process sees the whole record, and with EachRecord the
// disk has it too. The caller may change p afterwards.
//
// Errors:
//   - ErrTooLarge, and nothing is written, for a message of more than MaxMessage
//     bytes;
//   - unix.EFBIG or unix.ENOSPC when there is no room for the record. What was
//     written of it is cut off again, so that the file ends behind a whole
//     record, and nothing else is: a program without the lock may have appended
//     before it. The Writer goes on: a smaller record may have room;
//   - an error of the disk when the record was to be made durable. The record stays
//     in the file then, and nobody knows whether the disk has it: give the Writer up.
//     The kernel says once that the disk has failed. A second fdatasync(2) that
//     succeeds proves nothing, so Send does not try again.
//
// In a Go program SIGXFSZ, which comes together with EFBIG, is not fatal.
func (w *Writer) Send(p []byte) error {
	return todo.Err("Writer.Send")
}

// Close appends the end mark and closes the file, which gives the lock back, and not before.
// Except with Never the disk has all of the file when Close returns nil, also what an
// earlier writer has left to the kernel.
//
// The file is closed also when the end mark had no room, or the disk failed:
// then Close returns that error. Of a mark that had no room nothing is left in the
// file. After a Send that had an error of the disk Close returns an error too: the
// kernel tells it once only.
func (w *Writer) Close() error {
	return todo.Err("Writer.Close")
}

// OpenReader opens the file at path for reading. Recv begins at its first record,
// however much is there already. It does not wait for a writer. A symbolic link at
// path is followed.
//
// Errors: one that wraps fs.ErrNotExist when nothing is there yet; an error that
// names the path when something else than a regular file stands there (a
// directory, a device, a FIFO, whose opening could wait or do harm), or for lack
// of permission (fs.ErrPermission). What is there is looked at before it is opened,
// and once more when it is open. After an error no descriptor stays open.
func OpenReader(path string) (*Reader, error) {
	return nil, todo.Err("OpenReader")
}

// Recv receives the next record. At the end of what is there it waits for more:
// no end of file is the end of the stream. While it waits it uses no processor:
// the kernel wakes it when something happened to the file (inotify(7)). The file
// stays open meanwhile and is not opened again. A signal does not end the wait: a call
// that returned EINTR is made again. The slice belongs to the caller, with all of its
// capacity.
//
// A record that is there in part is waited for too, as long as its writer lives:
// as long as somebody has the lock. Recv asks for it with F_OFD_GETLK. It never
// takes the lock itself, or it would turn a new writer away. Between records no
// writer is needed: a new one may come. Nothing is kept from one call to the next of a
// record that is there in part: meanwhile a new writer may have cut it off.
//
// The kernel says IN_CLOSE_WRITE a moment before it takes the lock away. Who asks
// in this moment sees the lock still there, and is not woken up again. A Reader that
// was opened in this moment has no event at all. So inside a record Recv looks again
// after a while: after 1 ms, 2 ms, and so on, and from then on every 100 ms.
//
// Errors:
//   - io.EOF behind the end mark, for good;
//   - io.ErrUnexpectedEOF when a record is there in part and its writer is gone.
//     The record may have become whole just before its writer went, or the part may
//     have been cut off, so Recv looks into the file once more before it says so.
//     It says so once for each torn record. The next Recv waits: for a new writer,
//     which cuts the tail off;
//   - ErrTruncated when bytes that this Reader has seen are gone. If they belonged
//     to no record that was received, as when a torn tail is cut off, the next
//     Recv goes on behind the last whole record. Otherwise it is so for good;
//   - ErrReplaced, for good, when the path leads to another file or to none (also where
//     its folder is a file by now, unix.ENOTDIR). First
//     come all whole records that this file still has, and a torn one is said too.
//     When a file is removed the event (IN_ATTRIB) comes a moment before the name is
//     gone. Who looks at the path just then finds the name, and no other event comes:
//     the number of links is 0 by then (st_nlink);
//   - ErrTooLarge, with MaxMessage in its text, for a length that no record has. No
//     memory is allocated for the claim. The Reader is of no use afterwards;
//   - an error of the disk (unix.EIO), at once, when the file cannot be read.
//
// A file that was cut and has grown again beyond what the Reader has seen, before
// it looked, cannot be told from one that has only grown.
func (r *Reader) Recv() ([]byte, error) {
	return nil, todo.Err("Reader.Recv")
}

// RecvInto is Recv into memory that the caller brings. A message of up to
// cap(buf) bytes is put there, from the first byte on, and the slice that is
// returned is a part of buf. A longer one gets new memory, as in Recv. So buf may
// be nil, and what its bytes were before does not matter.
//
//	buf, err = r.RecvInto(buf)
//
// The errors are those of Recv.
func (r *Reader) RecvInto(buf []byte) ([]byte, error) {
	return nil, todo.Err("Reader.RecvInto")
}

// Close closes the file, and all else that the Reader has open. (What the package makes
// once and keeps for all Readers may stay.) The file itself stays where it is. No Recv
// may be under way.
func (r *Reader) Close() error {
	return todo.Err("Reader.Close")
}
