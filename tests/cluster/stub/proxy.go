package main

import (
	"net/http"
	"net/http/httputil"
	"net/url"
)

// Guarded passes on to another server what carries the token and answers 401 to all else, as a server behind an
// authenticating proxy does. The other server never sees the token.
func Guarded(target *url.URL, token string) http.Handler {
	proxy := &httputil.ReverseProxy{Rewrite: func(request *httputil.ProxyRequest) {
		request.SetURL(target)
		request.Out.Header.Del("Authorization")
	}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		proxy.ServeHTTP(w, r)
	})
}
