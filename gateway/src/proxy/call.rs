//! A call of gRPC whose request has come whole, and its answer, as it is with an [`exchange`](super::exchange) of HTTP/1.

use std::pin::pin;

use bytes::Bytes;
use http::header::HOST;
use http::{Uri, Version};
use pingora::http::RequestHeader;
use pingora::protocols::http::HttpTask;
use pingora::protocols::http::v2::client::Http2Session;
use pingora::{Error, ErrorType, OrErr};

use super::calls::Room;
use super::context::Context;
use super::exchange::{for_upstream, still_may};
use super::passing::unless_gone;
use super::upstream::Watched;
use super::{Downstream, Proxy, grpc};

/// Asks the upstream, and answers as it does.
pub async fn run(
    proxy: &Proxy,
    downstream: &mut Downstream,
    context: &mut Context,
) -> pingora::Result<()> {
    let calls = proxy.server(context).calls();
    context.open_call = proxy.upstream(context).watched().map(Watched::call);
    let connected = async { calls.connect().await.map_err(Error::into_up) };
    let mut room = unless_gone(downstream, pin!(connected)).await?;
    let exchanged = exchange(proxy, downstream, &mut room, context).await;
    calls.release(room);
    exchanged
}

/// The same, once there is room for it on a connection.
async fn exchange(
    proxy: &Proxy,
    downstream: &mut Downstream,
    room: &mut Room,
    context: &mut Context,
) -> pingora::Result<()> {
    context.connected(&room.target.peer, proxy.spans.is_some());
    if !room.is_reused {
        still_may(proxy, downstream, context)?;
    }
    let request = prepare(proxy, downstream, room, context)?;
    let body = context.body.read().cloned().unwrap_or_default();
    let asked = async {
        let to = || format!("to {}", room.target.peer._address);
        let asked = ask(&mut room.session, request, body).await;
        asked.map_err(|error| failed(error).more_context(to()))
    };
    unless_gone(downstream, pin!(asked)).await?;
    let session = &mut room.session;
    let head = session.response_header().cloned();
    let mut head = head.ok_or_else(|| Error::explain(ErrorType::ReadError, "no response"))?;
    proxy.clear(&mut head, context)?;
    proxy.complete(downstream, &mut head, context).await?;
    let is_alone = session.check_response_end_or_error().map_err(failed)?;
    let mut task = HttpTask::Header(Box::new(head), is_alone);
    loop {
        let client = downstream.as_downstream_mut();
        if client.response_duplex_vec(vec![task]).await.map_err(Error::into_down)? {
            return Ok(());
        }
        let next = async { next(room).await.map_err(failed) };
        task = unless_gone(downstream, pin!(next)).await?;
        if let HttpTask::Trailer(Some(trailers)) = &mut task {
            grpc::end(trailers, context);
        }
    }
}

/// Asks, and reads the head of the answer.
async fn ask(
    session: &mut Http2Session,
    request: RequestHeader,
    body: Bytes,
) -> pingora::Result<()> {
    session.write_request_header(Box::new(request), body.is_empty())?;
    if !body.is_empty()
        && let Some(mut writer) = session.take_request_body_writer()
    {
        // It is small, so it need not wait for the upstream to take it, who may answer without.
        writer.send_data(body, true).or_err(ErrorType::WriteError, "sending a call")?;
    }
    session.read_response_header().await
}

/// What comes next of an answer.
async fn next(room: &mut Room) -> pingora::Result<HttpTask> {
    let session = &mut room.session;
    if let Some(piece) = session.read_response_body().await? {
        let is_last = session.check_response_end_or_error()?;
        return Ok(HttpTask::Body(Some(piece), is_last));
    }
    Ok(HttpTask::Trailer(session.read_trailers().await?.map(Box::new)))
}

/// What is asked.
fn prepare(
    proxy: &Proxy,
    downstream: &Downstream,
    room: &Room,
    context: &mut Context,
) -> pingora::Result<RequestHeader> {
    let mut request = for_upstream(proxy, downstream, Version::HTTP_2, context);
    grpc::prepare(&mut request, &context.policy.identity)?;
    // HTTP/2 has it in the target.
    let host = request.remove_header(&HOST);
    let path = request.uri.path_and_query().map_or("/", |path| path.as_str());
    let scheme = if room.target.peer.is_tls() { "https" } else { "http" };
    let host = host.as_ref().map_or(&b""[..], |host| host.as_bytes());
    let uri = Uri::builder().scheme(scheme).authority(host).path_and_query(path).build();
    request.set_uri(uri.or_err(ErrorType::InvalidHTTPHeader, "the target of a call")?);
    Ok(request)
}

/// An error of the upstream's. A call that was sent is not sent once more.
#[expect(clippy::unnecessary_box_returns, reason = "Pingora's errors are boxed")]
fn failed(mut error: Box<Error>) -> Box<Error> {
    error.set_retry(false);
    error.into_up()
}
