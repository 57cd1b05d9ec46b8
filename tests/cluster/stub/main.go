// Command stub-engine stands for an LLM engine in tests: it has no model, but the API, the queue, the pace and
// the metrics body of one.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

func main() {
	if slices.Contains(os.Args[1:], "--help") {
		fmt.Print(usageText)
		return
	}
	options, err := ParseOptions(os.Args[0], os.Args[1:])
	if err != nil {
		log.Fatal(err)
	}
	if err := run(options); err != nil {
		log.Fatal(err)
	}
}

// run serves until SIGTERM or SIGINT, then takes no more requests and finishes those it has.
func run(options *Options) error {
	signals, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if options.Refuse {
		select {
		case <-time.After(options.StartupDelay):
		case <-signals.Done():
			return nil
		}
		options.StartupDelay = 0
	}
	handler, metrics, err := handlers(options)
	if err != nil {
		return err
	}
	listener := &http.Server{Addr: options.Address, Handler: handler}
	failed := make(chan error, 2)
	if options.CertFile == "" {
		go func() { failed <- listener.ListenAndServe() }()
	} else {
		pair, err := Certificate(options.CertFile, options.KeyFile)
		if err != nil {
			return err
		}
		listener.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}}
		go func() { failed <- listener.ListenAndServeTLS("", "") }()
	}
	if options.MetricsAddress != "" {
		go func() { failed <- http.ListenAndServe(options.MetricsAddress, metrics) }()
	}
	log.Print(options.Summary())

	select {
	case err := <-failed:
		return err
	case <-signals.Done():
	}
	log.Print("no more requests; finishing those that run")
	if err := listener.Shutdown(context.Background()); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// handlers returns what answers on the one port, and on the port that only has metrics.
func handlers(options *Options) (handler, metrics http.Handler, err error) {
	if options.ProxyTo != nil {
		return Guarded(options.ProxyTo, options.Token), http.NotFoundHandler(), nil
	}
	server, err := NewServer(options)
	if err != nil {
		return nil, nil, err
	}
	return server.Handler(), server.MetricsHandler(), nil
}
