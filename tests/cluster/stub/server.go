package main

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Server is the HTTP side of one engine.
type Server struct {
	options  *Options
	engine   *Engine
	renderer *Renderer
	started  time.Time

	mu       sync.Mutex
	template *Template
	override *Override
	failure  *Failure
	cleared  chan struct{} // closed when the failure is replaced, so that hanging requests go on
}

// Failure is a fault that was asked for.
type Failure struct {
	Rate   float64 `json:"rate"`   // share of requests that meet it
	Status int     `json:"status"` // what they are answered
	Hang   bool    `json:"hang"`   // or they get no answer until the fault is taken away
	Target string  `json:"target"` // "api" (the default), "metrics", "health" or "all"
}

// NewServer makes the server and its engine.
func NewServer(options *Options) (*Server, error) {
	renderer, err := NewRenderer()
	if err != nil {
		return nil, err
	}
	template, err := LoadTemplate(options.Bodies, options.Body)
	if err != nil {
		return nil, err
	}
	engine := NewEngine(options.Seats, options.KVTokens, options.Pace)
	engine.Computed = options.Role == "decode"
	return &Server{
		options:  options,
		engine:   engine,
		renderer: renderer,
		started:  time.Now(),
		template: template,
		cleared:  make(chan struct{}),
	}, nil
}

// Handler returns the API's routes and the admin's.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/completions", s.faulty("api", s.completions(false)))
	mux.HandleFunc("POST /v1/chat/completions", s.faulty("api", s.completions(true)))
	mux.HandleFunc("GET /v1/models", s.faulty("api", s.models))
	mux.HandleFunc("GET /version", s.version)
	mux.HandleFunc("GET /health", s.faulty("health", s.health))
	mux.HandleFunc("GET /health_generate", s.faulty("health", s.health))
	if s.options.Engine == "llamacpp" {
		s.llamaRoutes(mux)
	}
	if s.options.MetricsAddress == "" {
		s.metricsRoute(mux)
	}
	return s.whenReady(mux, s.adminRoutes)
}

// MetricsHandler returns the routes of a port that only has metrics.
func (s *Server) MetricsHandler() http.Handler {
	mux := http.NewServeMux()
	s.metricsRoute(mux)
	return s.whenReady(mux, func(*http.ServeMux) {})
}

func (s *Server) metricsRoute(mux *http.ServeMux) {
	handler := s.metrics
	switch {
	case s.options.Metrics:
	case s.options.Engine == "llamacpp":
		handler = s.metricsNotSupported
	default:
		return
	}
	mux.HandleFunc("GET "+s.options.MetricsPath, s.faulty("metrics", handler))
}

// whenReady answers 503 until the start-up is over, but on the routes that always adds.
func (s *Server) whenReady(mux *http.ServeMux, always func(*http.ServeMux)) http.Handler {
	ready := s.started.Add(s.options.StartupDelay)
	all := http.NewServeMux()
	always(all)
	all.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if time.Now().Before(ready) {
			writeError(w, http.StatusServiceUnavailable, "the model is loading")
			return
		}
		mux.ServeHTTP(w, r)
	})
	return all
}

// faulty lets the present failure strike before a handler runs.
func (s *Server) faulty(target string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		failure, cleared := s.failure, s.cleared
		s.mu.Unlock()
		if failure == nil || failure.Target != "all" && failure.Target != target || rand.Float64() >= failure.Rate {
			next(w, r)
			return
		}
		if !failure.Hang {
			writeError(w, failure.Status, "this failure was asked for")
			return
		}
		select {
		case <-cleared:
			next(w, r)
		case <-r.Context().Done():
		}
	}
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusOK)
}

func (s *Server) version(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"version": s.template.Version()})
}

func (s *Server) models(w http.ResponseWriter, _ *http.Request) {
	entries := []any{}
	add := func(name, root string, parent any) {
		entries = append(entries, map[string]any{
			"id": name, "object": "model", "created": s.started.Unix(), "owned_by": "stub",
			"root": root, "parent": parent, "max_model_len": s.options.MaxModelLen,
		})
	}
	for _, name := range s.options.ServedNames {
		add(name, s.options.Model, nil)
	}
	for _, adapter := range s.options.Adapters {
		add(adapter.Name, adapter.Path, s.model())
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": entries})
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	if s.options.MetricsDelay > 0 {
		select {
		case <-time.After(s.options.MetricsDelay):
		case <-r.Context().Done():
			return
		}
	}
	s.mu.Lock()
	template := s.template
	s.mu.Unlock()
	body := s.renderer.Render(template, s.engine.Snapshot(s.shown()), s.model(), s.options.AbsentUntilFirst)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write([]byte(body))
}

// shown is the load that a test asked to be shown.
func (s *Server) shown() *Override {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.override
}

func (s *Server) model() string { return s.options.ServedNames[0] }

func (s *Server) serves(model string) bool {
	return model == s.options.Model || slices.Contains(s.options.ServedNames, model) ||
		strings.TrimSuffix(model, "/") == s.options.Model ||
		slices.ContainsFunc(s.options.Adapters, func(one Adapter) bool { return one.Name == model })
}
