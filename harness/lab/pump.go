package lab

import (
	"encoding/json"
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

// relay is the role of the process that [Lab.Relay] starts.
var relay = NewRole(procfs.Relay, func(c *Child) error {
	var how relayed
	if err := json.Unmarshal([]byte(c.Text("how")), &how); err != nil {
		return err
	}
	end, other := c.given.Files["end"], c.given.Files["other"]
	var err error
	if how.Socket {
		err = relaySocket(c, how, end, other)
	} else {
		err = relayPipe(c, how, end, other)
	}
	if errors.Is(err, errCut) {
		// First the process dies, then its stream ends: with this process.
		err := unix.PidfdSendSignal(c.given.Files["victim"], unix.SIGKILL, nil, 0)
		if err == unix.ESRCH {
			return nil // it has ended by itself, and how it did is the news
		}
		return err
	}
	return err
})

var (
	errCut  = errors.New("as many bytes as were asked for have gone through")
	errEnd  = errors.New("the stream has ended")
	errGone = errors.New("nobody reads any more")
)

// pump passes the bytes of one direction on.
type pump struct {
	in, out int
	pieces  pieces
	left    int                         // bytes until the cut, -1 for none
	room    func() error                // waits until the last piece has been read
	move    func(most int) (int, error) // one piece; 0 is the end
}

func newPump(c *Child, label string, how relayed, in, out int) *pump {
	p := &pump{in: in, out: out, pieces: pieces{rand: c.Rand(label), sizes: how.Sizes}, left: -1}
	if how.Cut {
		p.left = how.Limit
	}
	return p
}

// run returns errCut, errEnd, errGone, or what should not have happened.
func (p *pump) run() error {
	for p.left != 0 {
		if err := p.data(); err != nil {
			return err
		}
		if err := p.room(); err != nil {
			return err
		}
		p.pieces.wait()
		most := p.pieces.next()
		if p.left > 0 {
			most = min(most, p.left)
		}
		n, err := p.move(most)
		switch {
		case errors.Is(err, unix.EAGAIN): // somebody else was faster
			continue
		case errors.Is(err, unix.EPIPE):
			return errGone
		case err != nil:
			return err
		case n == 0:
			return errEnd
		}
		if p.left > 0 {
			p.left -= n
		}
	}
	return errCut
}

// data waits for bytes or for the end of the stream. Meanwhile it watches the
// other side: a writer has to be told at once that its reader is gone.
func (p *pump) data() error {
	fds := []unix.PollFd{{Fd: int32(p.in), Events: unix.POLLIN}, {Fd: int32(p.out)}}
	if err := poll(fds); err != nil {
		return err
	}
	if fds[1].Revents&(unix.POLLERR|unix.POLLHUP) != 0 {
		return errGone
	}
	return nil
}

func poll(fds []unix.PollFd) error {
	for {
		if _, err := unix.Poll(fds, -1); err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
	}
}

// relayPipe passes pieces on by splice(2). The pipe behind has room for one page,
// and a spliced piece takes all of it: nothing is added to it, and there is
// room again only when all of it has been read.
func relayPipe(c *Child, how relayed, end, other int) error {
	in, out := end, other
	if flags, err := unix.FcntlInt(uintptr(end), unix.F_GETFL, 0); err != nil {
		return os.NewSyscallError("fcntl", err)
	} else if flags&unix.O_ACCMODE == unix.O_WRONLY {
		in, out = other, end
	}
	if _, err := unix.FcntlInt(uintptr(out), unix.F_SETPIPE_SZ, os.Getpagesize()); err != nil {
		return os.NewSyscallError("fcntl F_SETPIPE_SZ", err)
	}
	p := newPump(c, "pieces", how, in, out)
	p.room = func() error {
		fds := []unix.PollFd{{Fd: int32(out), Events: unix.POLLOUT}}
		err := poll(fds)
		if err == nil && fds[0].Revents&unix.POLLERR != 0 {
			return errGone
		}
		return err
	}
	p.move = func(most int) (int, error) {
		n, err := unix.Splice(in, nil, out, nil, most, 0)
		return int(n), os.NewSyscallError("splice", err)
	}
	err := p.run()
	if err == errEnd || err == errGone {
		return nil // this process ends, and with it both sides
	}
	return err
}

// relaySocket passes both directions on. A cut counts the bytes that come out at
// the other end.
func relaySocket(c *Child, how relayed, end, other int) error {
	back := how
	back.Cut = false
	forth, backward := newPump(c, "forth", how, end, other), newPump(c, "back", back, other, end)
	errs := make(chan error, 2)
	var both sync.WaitGroup
	for _, p := range []*pump{forth, backward} {
		both.Go(func() {
			if err := p.socket(); err != nil {
				errs <- err
			}
		})
	}
	go func() { both.Wait(); errs <- nil }()
	return <-errs
}
