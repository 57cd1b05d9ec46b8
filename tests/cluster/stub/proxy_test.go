package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestOnlyTheTokenLeadsToTheOtherServer(t *testing.T) {
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.String()+" "+r.Header.Get("Authorization"))
	}))
	t.Cleanup(behind.Close)
	port := freePort(t)
	start(t, "--proxy-to", behind.URL, "--token", "secret", "--port", port)
	ask := func(token string) (status int, text string) {
		request, _ := http.NewRequest(http.MethodGet, "http://127.0.0.1:"+port+"/api/v1/query?query=up", nil)
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return 0, err.Error()
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, string(body)
	}
	waitFor(t, func() bool { status, _ := ask(""); return status != 0 })
	for _, wrong := range []string{"", "other", "secre"} {
		if status, text := ask(wrong); status != http.StatusUnauthorized {
			t.Errorf("token %q: %d %s", wrong, status, text)
		}
	}
	if status, text := ask("secret"); status != http.StatusOK || text != "/api/v1/query?query=up " {
		t.Errorf("the right token: %d %s", status, text)
	}
}

func TestAProxyNeedsATokenAndAnAddress(t *testing.T) {
	for _, arguments := range [][]string{{"--proxy-to", "http://x:1"}, {"--proxy-to", "x", "--token", "t"}} {
		if _, err := ParseOptions("stub-engine", arguments); err == nil {
			t.Errorf("%v is accepted", arguments)
		}
	}
}
