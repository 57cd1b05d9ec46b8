package main

import (
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// freePort returns a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// start runs a whole server, and stops it as the kubelet does.
func start(t *testing.T, arguments ...string) {
	t.Helper()
	options, err := ParseOptions("vllm", append(arguments, "--bodies", recorded, "--host", "127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- run(options) }()
	t.Cleanup(func() {
		_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestTLSWithACertificateOfItsOwn(t *testing.T) {
	port := freePort(t)
	start(t, "serve", "m", "--port", port, "--ssl-certfile", "/no/such.crt", "--ssl-keyfile", "/no/such.key")
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	waitFor(t, func() bool {
		answer, err := client.Get("https://127.0.0.1:" + port + "/metrics")
		return err == nil && answer.StatusCode == http.StatusOK && answer.Body.Close() == nil
	})
	if answer, err := http.Get("http://127.0.0.1:" + port + "/metrics"); err == nil && answer.StatusCode != http.StatusBadRequest {
		t.Errorf("plain http is answered %d", answer.StatusCode)
	}
}

func TestACertificateThatCannotBeRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.crt")
	if err := os.WriteFile(file, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Certificate(file, file); err == nil {
		t.Error("must be refused")
	}
	if _, err := ParseOptions("vllm", []string{"--ssl-certfile", file}); err == nil {
		t.Error("a certificate without a key must be refused")
	}
}

func TestMetricsOnAPathAndPortOfTheirOwn(t *testing.T) {
	api, metrics := freePort(t), freePort(t)
	start(t, "serve", "m", "--port", api, "--metrics-port", metrics, "--metrics-path", "/v1/metrics")
	waitFor(t, func() bool {
		answer, err := http.Get("http://127.0.0.1:" + metrics + "/v1/metrics")
		return err == nil && answer.StatusCode == http.StatusOK && answer.Body.Close() == nil
	})
	for _, url := range []string{"http://127.0.0.1:" + metrics + "/metrics", "http://127.0.0.1:" + api + "/v1/metrics"} {
		if status, _ := get(t, url); status != http.StatusNotFound {
			t.Errorf("%s: %d", url, status)
		}
	}
}
