package shm_test

import (
	"fmt"
	"io"

	shm "ipcworkbook/chapters/05-shm"
	"ipcworkbook/harness/lab"
)

// Who sends, receives and goes in steps 17 and 18.

// attachedSender opens the sending end of the ring in a role.
func attachedSender(c *lab.Child) (*shm.Region, *shm.Sender, error) {
	r, err := shm.Attach(c.Text("name"), 0)
	if err != nil {
		return nil, nil, fmt.Errorf("Attach(): %w", err)
	}
	s, err := shm.OpenSender(r, ringAt)
	if err != nil {
		return nil, nil, fmt.Errorf("OpenSender(): %w", err)
	}
	return r, s, nil
}

// attachedReceiver opens the receiving end of the ring in a role.
func attachedReceiver(c *lab.Child) (*shm.Region, *shm.Receiver, error) {
	r, err := shm.Attach(c.Text("name"), 0)
	if err != nil {
		return nil, nil, fmt.Errorf("Attach(): %w", err)
	}
	e, err := shm.OpenReceiver(r, ringAt)
	if err != nil {
		return nil, nil, fmt.Errorf("OpenReceiver(): %w", err)
	}
	return r, e, nil
}

var receivesMany = lab.NewRole("receiver of many messages", func(c *lab.Child) error {
	_, e, err := attachedReceiver(c)
	if err != nil {
		return err
	}
	var got []byte
	for i := range momentsTried {
		if i%4 == 0 {
			got, err = e.RecvInto(got)
		} else {
			got, err = e.RecvUntil(got, distant)
		}
		if err == nil {
			err = same(got, "hello")
		}
		if err != nil {
			return fmt.Errorf("RecvInto() or RecvUntil(): %w", err)
		}
	}
	c.Wait()
	return nil
})

var sendsMany = lab.NewRole("sender of many messages", func(c *lab.Child) error {
	_, s, err := attachedSender(c)
	if err != nil {
		return err
	}
	message := pattern(28)
	for i := range momentsTried {
		var err error
		if i%4 == 0 {
			err = s.Send(message)
		} else {
			err = s.SendUntil(message, distant)
		}
		if err != nil {
			return fmt.Errorf("Send() or SendUntil(): %w", err)
		}
	}
	c.Wait()
	return nil
})

var heldReceiver = lab.NewRole("receiver that is held", func(c *lab.Child) error {
	_, e, err := attachedReceiver(c)
	if err != nil {
		return err
	}
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for range mostCalls {
		c.Wait()
		if err := expect(e, "hello"); err != nil {
			return fmt.Errorf("Recv(): %w", err)
		}
		c.Report("done")
	}
	return nil
})

var heldSender = lab.NewRole("sender that is held", func(c *lab.Child) error {
	_, s, err := attachedSender(c)
	if err != nil {
		return err
	}
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for range mostCalls {
		c.Wait()
		for range 2 { // the second one has to wait
			if err := s.Send(pattern(60)); err != nil {
				return fmt.Errorf("Send(): %w", err)
			}
		}
		c.Report("done")
	}
	return nil
})

// closedReceiver receives in one goroutine, and closes the Receiver in another one.
var closedReceiver = lab.NewRole("receiver that is closed", func(c *lab.Child) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for range mostCalls {
		r, err := shm.Create(c.Text("name")+"-own", 1024, func(r *shm.Region) error { return shm.NewRing(r, ringAt, 64) })
		if err != nil {
			return fmt.Errorf("Create(): %w", err)
		}
		if err := shm.Remove(c.Text("name") + "-own"); err != nil {
			return fmt.Errorf("Remove(): %w", err)
		}
		e, err := shm.OpenReceiver(r, ringAt)
		if err != nil {
			return fmt.Errorf("OpenReceiver(): %w", err)
		}
		c.Report(true)
		c.Wait()
		received := make(chan error, 1)
		go func() { received <- expect(e, "") }()
		c.Wait()
		if err := e.Close(); err != nil {
			return fmt.Errorf("Close() of the receiver: %w", err)
		}
		c.Report(told(<-received))
		if err := r.Close(); err != nil {
			return fmt.Errorf("Close(): %w", err)
		}
	}
	return nil
})

var sendsAndGoes = lab.NewRole("sender that goes", func(c *lab.Child) error {
	r, s, err := attachedSender(c)
	if err != nil {
		return err
	}
	if err := s.Send([]byte("hello")); err != nil {
		return fmt.Errorf("Send(): %w", err)
	}
	c.Report(true)
	c.Wait()
	return goes(c, s, r)
})

// goes is how an end comes to its end.
func goes(c *lab.Child, end io.Closer, r *shm.Region) error {
	switch c.Text("end") {
	case "closes":
		return end.Close()
	case "dies":
		c.Die()
	case "closes the region":
		return r.Close()
	}
	return nil
}

var receivesAndGoes = lab.NewRole("receiver that goes", func(c *lab.Child) error {
	r, e, err := attachedReceiver(c)
	if err != nil {
		return err
	}
	if err := expect(e, "hello"); err != nil {
		return fmt.Errorf("Recv(): %w", err)
	}
	c.Report(true)
	c.Wait()
	return goes(c, e, r)
})
