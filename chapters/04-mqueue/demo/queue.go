package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	mqueue "ipcworkbook/chapters/04-mqueue"
)

// jobs is a queue of jobs, of one kind or the other. Whoever comes first makes it.
type jobs interface {
	open() error
	send(text string, urgent bool) error
	// receive waits for the next job. The end is an empty one.
	receive() (text string, urgent bool, err error)
	waiting() (int, error)
	remove() error
	// look tells how another terminal sees it.
	look() string
	// flags are those that make another process of this program use the same queue.
	flags() []string
}

// never is no deadline.
var never time.Time

// The POSIX queue: an urgent job has a higher priority, and overtakes the others.

const (
	usual  = 0
	urgent = 10
)

type posix struct {
	name  string
	queue *mqueue.Queue
}

func (p *posix) open() (err error) {
	if p.queue != nil {
		return nil
	}
	p.queue, err = mqueue.Open(p.name, unix.O_RDWR|unix.O_CREAT, 0o600, &mqueue.Attr{MaxMessages: 10, MaxSize: 1024})
	return err
}

func (p *posix) send(text string, isUrgent bool) error {
	priority := usual
	if isUrgent {
		priority = urgent
	}
	return p.queue.SendPriority([]byte(text), priority, never)
}

func (p *posix) receive() (string, bool, error) {
	text, priority, err := p.queue.RecvPriority(nil, never)
	return string(text), priority == urgent, err
}

func (p *posix) waiting() (int, error) {
	attr, err := p.queue.Attr()
	return attr.Messages, err
}

func (p *posix) remove() error { return mqueue.Unlink(p.name) }

func (p *posix) look() string {
	return fmt.Sprintf("ls /dev/mqueue; cat /dev/mqueue/%s", strings.TrimPrefix(p.name, "/"))
}

func (p *posix) flags() []string { return []string{"-queue", p.name} }

// The System V queue: an urgent job has a lower type, and the worker asks for the lowest.

const (
	typeUrgent = 1
	typeUsual  = 2
)

type systemV struct {
	key   int
	queue *mqueue.SysV
}

func (s *systemV) open() (err error) {
	if s.queue != nil {
		return nil
	}
	s.queue, err = mqueue.Get(s.key, unix.IPC_CREAT|0o600)
	return err
}

func (s *systemV) send(text string, isUrgent bool) error {
	typ := typeUsual
	if isUrgent {
		typ = typeUrgent
	}
	return s.queue.SendType([]byte(text), typ, never)
}

func (s *systemV) receive() (string, bool, error) {
	text, typ, err := s.queue.RecvType(nil, -typeUsual, never)
	return string(text), typ == typeUrgent, err
}

func (s *systemV) waiting() (int, error) {
	stat, err := s.queue.Stat()
	return stat.Messages, err
}

func (s *systemV) remove() error {
	if s.queue == nil {
		queue, err := mqueue.Get(s.key, 0)
		if err != nil {
			return err
		}
		s.queue = queue
	}
	return s.queue.Remove()
}

func (s *systemV) look() string { return "ipcs -q" }

func (s *systemV) flags() []string { return []string{"-key", fmt.Sprint(s.key)} }

// isGone says whether somebody has removed the queue.
func isGone(err error) bool { return errors.Is(err, unix.EIDRM) }
