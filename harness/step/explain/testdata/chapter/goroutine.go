package chapter

import (
	"os"
	"sync"
)

// Counter locks a mutex that its caller has locked already.
type Counter struct {
	mu sync.Mutex
	n  int
}

func (c *Counter) Add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += n
	c.report()
}

func (c *Counter) report() {
	c.mu.Lock()
	defer c.mu.Unlock()
}

// Client has a goroutine that reads, as any client has; the mistake is in Call.
type Client struct {
	mu sync.Mutex
	f  *os.File
}

func NewClient(f *os.File) *Client {
	c := &Client{f: f}
	go c.readLoop()
	return c
}

func (c *Client) readLoop() {
	for {
		check(c.f.Read(make([]byte, 100)))
	}
}

func (c *Client) Call() {
	c.mu.Lock() // and no Unlock
}

// Shy holds the lock while it reads, so nobody can send.
func (c *Client) Shy(locked chan struct{}, f *os.File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(locked)
	check(f.Read(make([]byte, 100)))
}

func (c *Client) Send() {
	c.mu.Lock()
	defer c.mu.Unlock()
}

// Workers wait for work in a channel that nobody closes.
func Workers() {
	var wg sync.WaitGroup
	work := make(chan int)
	for range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range work {
			}
		}()
	}
	work <- 1
	wg.Wait()
}

// Crowd is several goroutines at one lock.
func Crowd() {
	var mu sync.Mutex
	var wg sync.WaitGroup
	mu.Lock()
	for range 3 {
		wg.Go(func() { mu.Lock() })
	}
	wg.Wait()
}

func Cond() {
	c := sync.NewCond(new(sync.Mutex))
	c.L.Lock()
	c.Wait()
}

// Upgrade wants to write while it still reads.
func Upgrade() {
	var mu sync.RWMutex
	mu.RLock()
	mu.Lock()
}

func Nil() {
	var c chan int
	c <- 1
}
