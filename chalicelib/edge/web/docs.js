// Starts Swagger UI. Its requests carry the token that was typed in, and never a cookie.
window.addEventListener("DOMContentLoaded", () => {
  window.SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#docs",
    deepLinking: true,
    docExpansion: "none",
    filter: true,
    validatorUrl: null,
    withCredentials: false,
    requestInterceptor: (request) => Object.assign(request, { credentials: "omit" }),
  });
});
