package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	pool "ipcworkbook/chapters/08-pool"
)

// Request is the argument of a task. Its fields begin with capital letters: it goes as JSON.
type Request struct {
	Address, Path string
	Patience      time.Duration
}

// Page is its result.
type Page struct {
	Title string
	Links []string
	Body  []byte
}

// most is the limit of a page, as it goes over.
const most = 256 << 10

var fetch = pool.NewTask("fetch", func(r Request) (page Page, err error) {
	// A task may print: descriptor 1 is the screen, and the pool has another one.
	fmt.Printf("  worker %d fetches %s\n", os.Getpid(), r.Path)
	client := http.Client{Timeout: r.Patience}
	answer, err := client.Get(r.Address + r.Path)
	if err != nil {
		return page, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return page, fmt.Errorf("the site says %s", answer.Status)
	}
	if page.Body, err = io.ReadAll(answer.Body); err != nil {
		return page, fmt.Errorf("after %d bytes: %w", len(page.Body), err)
	}
	text := string(page.Body)
	_, rest, _ := strings.Cut(text, "<title>")
	page.Title = rest[:strings.Index(rest, "</title>")] // a mistake: the page may have none
	for _, link := range reference.FindAllStringSubmatch(text, -1) {
		page.Links = append(page.Links, link[1])
	}
	return page, nil
})

var reference = regexp.MustCompile(`href="([^"]*)"`)

// work is what a worker does. The terminal sends the signal of Ctrl-C to all processes that it has in the
// foreground. Here the pool's process decides what becomes of the workers.
func work() (status int, err error) {
	signal.Ignore(syscall.SIGINT)
	if err := pool.Work(); err != nil {
		return 1, fmt.Errorf("worker %d: %w", os.Getpid(), err)
	}
	return 0, nil
}
