// Starts Swagger UI. Its requests carry the token that was typed in, and never a cookie.
const TYPED = "bearer";

// Leaves only the token to authorize with: the page sends no session, and has no page to which OAuth could redirect.
function withTyped(spec) {
  const schemes = (spec.components || {}).securitySchemes || {};
  const kept = Object.keys(schemes).filter((name) => schemes[name].scheme === TYPED);
  Object.keys(schemes).filter((name) => !kept.includes(name)).forEach((name) => delete schemes[name]);
  Object.values(spec.paths || {}).flatMap(Object.values).forEach((operation) => {
    if (operation.security) {
      operation.security = operation.security.filter((one) => Object.keys(one).every((name) => kept.includes(name)));
    }
  });
  return spec;
}

const OnlyTyped = {
  statePlugins: { spec: { wrapActions: { updateJsonSpec: (update) => (spec) => update(withTyped(structuredClone(spec))) } } },
};

window.addEventListener("DOMContentLoaded", () => {
  window.SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#docs",
    deepLinking: true,
    docExpansion: "none",
    filter: true,
    validatorUrl: null,
    withCredentials: false,
    plugins: [OnlyTyped],
    requestInterceptor: (request) => Object.assign(request, { credentials: "omit" }),
  });
});
