package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"ipcworkbook/harness/todo"

	pool "ipcworkbook/chapters/08-pool"
)

// fetcher fetches pages, and the pages that they name.
type fetcher struct {
	pool    *pool.Pool
	address string
	order   order
	pages   sync.WaitGroup // those that nobody has told yet

	mu                                      sync.Mutex
	known, told, fetched, failed, cancelled int
	unwritten                               error
}

func crawl(o order) (status int, err error) {
	address, err := site(o)
	if err != nil {
		return 1, fmt.Errorf("opening the site: %w", err)
	}
	// Ctrl-C ends New as well.
	typed := make(chan os.Signal, 3)
	signal.Notify(typed, syscall.SIGINT, syscall.SIGTERM)
	starts, started := context.WithCancel(context.Background())
	defer started()
	go func() {
		select {
		case s := <-typed:
			typed <- s
			started()
		case <-starts.Done():
		}
	}()
	p, err := pool.New(starts, pool.Options{Workers: o.workers, Command: []string{"/proc/self/exe", "work"}, MaxSize: most})
	if err != nil {
		return 1, fmt.Errorf("starting %d workers: %w", o.workers, err)
	}
	started()
	fmt.Printf("The site is %s, and the pool has the workers %s.\n", address, strings.Trim(fmt.Sprint(p.Workers()), "[]"))
	go kills(p)
	f := &fetcher{pool: p, address: address, order: o}
	f.submit("/")
	return f.end(typed)
}

// submit hands a page to the pool. The callback tells what became of it, and submits what it names.
func (f *fetcher) submit(path string) {
	f.pages.Add(1)
	f.mu.Lock()
	f.known++
	f.mu.Unlock()
	future, err := pool.Submit(f.pool, fetch, Request{f.address, path, f.order.patience})
	if err != nil {
		f.tell(path, Page{}, err)
		f.pages.Done()
		return
	}
	future.AddDoneCallback(func(future *pool.Future[Page]) {
		defer f.pages.Done()
		page, err := future.Result(context.Background())
		f.tell(path, page, err)
		for _, link := range page.Links {
			f.submit(link)
		}
	})
}

// tell writes a line about a page, with how many of those that are known were told.
func (f *fetcher) tell(path string, page Page, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told++
	var says string
	var task *pool.TaskError
	switch {
	case err == nil:
		f.fetched++
		says = fmt.Sprintf("%q, %d bytes", page.Title, len(page.Body))
	case errors.Is(err, pool.ErrCancelled), errors.Is(err, os.ErrClosed):
		f.cancelled++
		says = "not begun: " + err.Error()
	case errors.As(err, &task) && task.Panic:
		f.failed++
		says = "the task has panicked: " + task.Text
	default:
		f.failed++
		says = "failed: " + err.Error()
		if _, is := todo.In(err.Error()); is && f.unwritten == nil {
			f.unwritten = err
		}
	}
	fmt.Printf("[%d of %d] %s: %s\n", f.told, f.known, path, says)
}

// end waits until all pages are told, or for Ctrl-C, and then for the pool.
func (f *fetcher) end(typed chan os.Signal) (status int, err error) {
	all := make(chan struct{})
	go func() {
		f.pages.Wait()
		close(all)
	}()
	drain := false
	select {
	case <-all:
	case s := <-typed:
		drain = true
		fmt.Printf("%v: what is under way is finished, and nothing else begins. Once more ends it at once.\n", s)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go func() {
		s := <-typed
		signal.Reset() // a third one kills this process, and its workers end with it
		cancel(fmt.Errorf("it was told twice to end: %v", s))
	}()
	err = f.pool.Shutdown(ctx, drain)
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Printf("%d pages: %d fetched, %d failed, %d not begun.\n", f.known, f.fetched, f.failed, f.cancelled)
	switch {
	case f.unwritten != nil:
		return 1, f.unwritten
	case errors.Is(err, pool.ErrUnfinished):
		return 128 + int(syscall.SIGINT), fmt.Errorf("ending the pool: %w", err)
	case err != nil:
		return 1, fmt.Errorf("ending the pool: %w", err)
	}
	return 0, nil
}

// kills kills a worker when somebody types it.
func kills(p *pool.Pool) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		workers := p.Workers()
		switch {
		case strings.TrimSpace(lines.Text()) != "kill":
			fmt.Println("Type kill, or Ctrl-C.")
		case len(workers) == 0:
			fmt.Println("No worker is left.")
		default:
			fmt.Printf("Worker %d is killed.\n", workers[0])
			_ = syscall.Kill(workers[0], syscall.SIGKILL)
		}
	}
}
